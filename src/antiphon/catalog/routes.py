"""A route: a name that callers use, and what serves it, as a configuration says it."""

import msgspec

from antiphon.types import Price, Strategy


class Route(msgspec.Struct, frozen=True, eq=False):
    """A model of the configuration. ``targets`` are provider, model and weight; ``fallbacks`` names of any kind."""

    name: str
    targets: tuple[tuple[str, str, int], ...]
    aliases: tuple[str, ...] = ()
    strategy: Strategy = Strategy.ORDER
    fallbacks: tuple[str, ...] = ()
    price: Price | None = None


def split_target(text: str) -> tuple[str, str] | None:
    """Return provider and model of ``provider/model``, parted at the first slash, or ``None`` for any other text."""
    provider, slash, model = text.partition("/")
    return (provider, model) if slash and provider and model else None


def loop(name: str, edges: dict[str, list[str]]) -> list[str] | None:
    """Return the way from ``name`` back to itself along ``edges``, or ``None``."""
    stack = [[name]]
    seen = set()
    while stack:
        way = stack.pop()
        for other in edges.get(way[-1], ()):
            if other == name:
                return [*way, name]
            if other not in seen:
                seen.add(other)
                stack.append([*way, other])
    return None
