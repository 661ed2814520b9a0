"""A request body while it is written: what stands in it so far, and what had to be left out."""

from typing import Any

from antiphon.types import Profile

MORE = "additionalModelRequestFields"
"""Converse passes this object to the model as it is."""


class Draft:
    """One body for a model of one profile; ``dropped`` has each name once, in order."""

    __slots__ = ("dropped", "out", "profile")

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self.out: dict[str, Any] = {}
        self.dropped: dict[str, None] = {}

    def drop(self, name: str) -> None:
        """Note that a field was left out."""
        self.dropped[name] = None

    def put(self, path: str, value: Any) -> None:
        """Set a value deep in the body, at names joined by dots.

        Objects on the way are made, or copied, because they may be the caller's.
        """
        place = self.out
        *parents, last = path.split(".")
        for name in parents:
            inner = place.get(name)
            place[name] = place = dict(inner) if type(inner) is dict else {}
        place[last] = value

    def say(self, text: str) -> None:
        """Add a text to the system prompt."""
        self.out["system"] = [*self.out.get("system", ()), {"text": text}]
