"""Request heads towards providers: built once for each target and operation, and kept."""

from typing import TypeAlias

from antiphon.transport.request_head import build_head
from antiphon.types import Target
from antiphon.wires.wire import Wire

ForwardedHeaders: TypeAlias = tuple[tuple[bytes, bytes], ...]
"""Header fields of the caller's that go on to a provider of the same wire."""

USER_AGENT = "antiphon"
_HEADS_LIMIT = 4096


class RequestHeads:
    """The heads of JSON requests; callers choose the forwarded headers, so the number of kept heads is bounded."""

    def __init__(self) -> None:
        self._heads: dict[tuple[Target, str, ForwardedHeaders], bytes] = {}

    def get(self, target: Target, operation: str, wire: Wire, forwarded: ForwardedHeaders) -> bytes:
        """Return the head for an operation that a target offers."""
        key = (target, operation, forwarded)
        head = self._heads.get(key)
        if head is None:
            if len(self._heads) >= _HEADS_LIMIT:
                self._heads.clear()
            head = self._heads[key] = write_head("POST", target.urls[operation], target, wire, forwarded)
        return head


def write_head(
    method: str,
    path: str,
    target: Target,
    wire: Wire,
    forwarded: ForwardedHeaders = (),
    content_type: str | bytes = "application/json",
) -> bytes:
    """Return the head of a request for ``path`` at a target's origin, with the target's credential."""
    given = {name for name, _ in forwarded} | {name.lower().encode() for name, _ in target.headers}
    headers: list[tuple[str | bytes, str | bytes]] = [
        *((("content-type", content_type),) if content_type else ()),
        ("user-agent", USER_AGENT),
        ("accept-encoding", "identity"),
        *target.headers,
        *forwarded,
        *(pair for pair in wire.required_headers if pair[0] not in given),
    ]
    if target.auth is not None and target.credential:
        name, prefix = target.auth
        headers.append((name, prefix + target.credential.reveal()))
    return build_head(method, path, headers, target.origin)
