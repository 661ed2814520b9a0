"""A route: a model name for callers, and the targets that serve it, as configured."""

import msgspec

from antiphon.types import Price, Strategy


class Route(msgspec.Struct, frozen=True, eq=False):
    """A configured model. ``targets`` are provider, model and weight; ``fallbacks`` are names of any kind."""

    name: str
    targets: tuple[tuple[str, str, int], ...]
    aliases: tuple[str, ...] = ()
    strategy: Strategy = Strategy.ORDER
    fallbacks: tuple[str, ...] = ()
    price: Price | None = None


def split_target(text: str) -> tuple[str, str] | None:
    """Return provider and model of ``provider/model``, split at the first slash, or ``None`` for any other text."""
    provider, slash, model = text.partition("/")
    return (provider, model) if slash and provider and model else None


def find_cycle(name: str, edges: dict[str, list[str]]) -> list[str] | None:
    """Return the path from ``name`` back to itself along ``edges``, or ``None``."""
    stack = [[name]]
    seen = set()
    while stack:
        path = stack.pop()
        for other in edges.get(path[-1], ()):
            if other == name:
                return [*path, name]
            if other not in seen:
                seen.add(other)
                stack.append([*path, other])
    return None
