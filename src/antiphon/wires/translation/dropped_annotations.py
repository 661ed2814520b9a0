"""What a request says beside its content, for wires that have no place for it: marks of caching, wishes to cite."""

from collections.abc import Callable, Iterator
from typing import Any

from antiphon.wires.translation.neutral import File, Request, Text, ToolResult


def list_dropped_annotations(
    request: Request, keeps: Callable[[dict[str, Any]], bool] = lambda citation: False
) -> dict[str, None]:
    """Return the neutral names of the marks that a wire without any must leave out, in order.

    ``keeps`` says which citations of earlier answers it has a place for all the same.
    """
    found: dict[str, None] = {}
    for part in _iterate_parts(request):
        if getattr(part, "cache", None) is not None:
            found["cache_control"] = None
        cites = type(part) is File and part.cite
        if cites or (type(part) is Text and part.citations and not all(map(keeps, part.citations))):
            found["citations"] = None
    return found


def _iterate_parts(request: Request) -> Iterator[Any]:
    yield from request.system
    yield from request.tools
    for message in request.messages:
        for part in message.parts:
            yield part
            if type(part) is ToolResult:
                yield from part.parts
