"""Annotations of a request's content that some wires do not have: cache marks, and requests to cite a document."""

from collections.abc import Callable, Iterator
from typing import Any

from antiphon.wires.translation.neutral import File, Request, Text, ToolResult


def list_dropped_annotations(
    request: Request, can_keep: Callable[[dict[str, Any]], bool] = lambda citation: False
) -> dict[str, None]:
    """Return the neutral names of the annotations that a wire without annotations must drop, in order.

    ``can_keep`` says which citations of earlier answers the wire can keep.
    """
    dropped: dict[str, None] = {}
    for part in _iterate_parts(request):
        if getattr(part, "cache", None) is not None:
            dropped["cache_control"] = None
        asks_for_citations = type(part) is File and part.cite
        if asks_for_citations or (type(part) is Text and part.citations and not all(map(can_keep, part.citations))):
            dropped["citations"] = None
    return dropped


def _iterate_parts(request: Request) -> Iterator[Any]:
    yield from request.system
    yield from request.tools
    for message in request.messages:
        for part in message.parts:
            yield part
            if type(part) is ToolResult:
                yield from part.parts
