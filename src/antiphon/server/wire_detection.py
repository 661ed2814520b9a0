"""Detects which wire a path belongs to. Its errors have that wire's format, whatever the request contained."""

from collections.abc import Iterable

from antiphon.wires import Wire, get_wire

_PREFIXES = (
    (b"/v1/messages", "messages"),
    (b"/v1/responses", "responses"),
    (b"/v1beta/", "generate"),
    (b"/model/", "converse"),
)
GEMINI_METHODS = (
    b":generateContent",
    b":streamGenerateContent",
    b":countTokens",
    b":embedContent",
    b":batchEmbedContents",
)


_CLIENTS = ((b"anthropic-version", "messages"), (b"x-goog-api-client", "generate"), (b"x-goog-api-key", "generate"))
"""Header fields that only the clients of one wire send."""
_SHARED = (b"/v1/models", b"/v1/files")
"""Paths that the clients of several wires use."""


def detect_client(fields: Iterable[tuple[bytes, bytes]]) -> str:
    """Return the operation whose clients send these header fields; OpenAI's chat by default."""
    names = {name for name, _ in fields}
    return next((operation for name, operation in _CLIENTS if name in names), "chat")


def detect_wire(path: bytes, fields: Iterable[tuple[bytes, bytes]] = ()) -> Wire:
    """Return the wire whose clients call this raw path; OpenAI's chat by default.

    If the clients of several wires use the path, the header fields decide.
    """
    for prefix, operation in _PREFIXES:
        if path.startswith(prefix):
            return get_wire(operation)
    if path.startswith(b"/v1/models/") and path.endswith(GEMINI_METHODS):
        return get_wire("generate")
    if any(path == shared or path.startswith(shared + b"/") for shared in _SHARED):
        return get_wire(detect_client(fields))
    return get_wire("chat")
