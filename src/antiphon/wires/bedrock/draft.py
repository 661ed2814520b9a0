"""A request body while it is written: what stands in it so far, and what had to be left out."""

from typing import Any

from antiphon.wires.bedrock.families import Family, Path


class Draft:
    """One body for a model of one family; ``dropped`` has each name once, in order."""

    __slots__ = ("dropped", "family", "out")

    def __init__(self, family: Family) -> None:
        self.family = family
        self.out: dict[str, Any] = {}
        self.dropped: dict[str, None] = {}

    def drop(self, name: str) -> None:
        """Note that a field was left out."""
        self.dropped[name] = None

    def put(self, path: Path, value: Any) -> None:
        """Set a value deep in the body; objects on the way are made, or copied, because they may be the caller's."""
        place = self.out
        for name in path[:-1]:
            inner = place.get(name)
            place[name] = place = dict(inner) if type(inner) is dict else {}
        place[path[-1]] = value

    def say(self, text: str) -> None:
        """Add a text to the system prompt."""
        self.out["system"] = [*self.out.get("system", ()), {"text": text}]
