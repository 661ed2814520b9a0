"""A request body while it is written: the members so far, and the names of the fields that had to be left out."""

from typing import Any

from antiphon.types import Profile

MODEL_FIELDS = "additionalModelRequestFields"
"""Converse passes this object to the model unchanged."""


class BodyDraft:
    """One body for a model of one profile; ``dropped`` has each name once, in order."""

    __slots__ = ("body", "dropped", "profile")

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self.body: dict[str, Any] = {}
        self.dropped: dict[str, None] = {}

    def drop(self, name: str) -> None:
        """Note that a field was left out."""
        self.dropped[name] = None

    def put(self, path: str, value: Any) -> None:
        """Set a value deep in the body; ``path`` has the names joined by dots.

        Objects on the path are created, or copied, because they may be the caller's.
        """
        parent = self.body
        *names, last = path.split(".")
        for name in names:
            inner = parent.get(name)
            parent[name] = parent = dict(inner) if type(inner) is dict else {}
        parent[last] = value

    def add_system_text(self, text: str) -> None:
        """Add a text to the system prompt."""
        self.body["system"] = [*self.body.get("system", ()), {"text": text}]
