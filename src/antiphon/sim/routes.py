"""Where each operation is found: path and query of a request, on every wire."""

from urllib.parse import unquote

import msgspec

_SUFFIXES = {
    b"/chat/completions": "chat",
    b"/completions": "completions",
    b"/embeddings": "embeddings",
    b"/responses": "responses",
    b"/messages": "messages",
    b"/messages/count_tokens": "count_tokens",
}
_METHODS = {
    b":generateContent": ("generate", False),
    b":streamGenerateContent": ("generate", True),
    b":countTokens": ("gemini_count_tokens", False),
    b":embedContent": ("gemini_embed", False),
    b":batchEmbedContents": ("gemini_embed_batch", False),
}
_CONVERSE = {b"/converse": False, b"/converse-stream": True}
KNOWN = (
    *(f"/v1{suffix.decode()}" for suffix in _SUFFIXES),
    *(f"/v1beta/models/{{model}}{method.decode()}" for method in _METHODS),
    *(f"/model/{{model}}{last.decode()}" for last in _CONVERSE),
    "/v1/models",
)


class Route(msgspec.Struct, frozen=True):
    """What a path says. ``model`` and ``stream`` are set on wires that have them there."""

    operation: str
    model: str = ""
    stream: bool | None = None
    query: str = ""


def find(path: bytes) -> Route | None:
    """Return the route of a path with its query, under whatever prefix, or ``None``."""
    path, _, query = path.partition(b"?")
    for suffix, operation in _SUFFIXES.items():
        if path.endswith(suffix) and not (operation == "completions" and path.endswith(b"/chat/completions")):
            return Route(operation, query=query.decode("latin-1"))
    _, found, rest = path.rpartition(b"/models/")
    if found:
        return _generating(rest, query)
    _, found, rest = path.partition(b"/model/")
    return _conversing(rest) if found else None


def _generating(rest: bytes, query: bytes) -> Route | None:
    for method, (operation, stream) in _METHODS.items():
        if rest.endswith(method):
            model = rest.removesuffix(method).decode("latin-1")
            return Route(operation, _plain(model), stream, query.decode("latin-1"))
    return None


def _conversing(rest: bytes) -> Route | None:
    for last, stream in _CONVERSE.items():
        if rest.endswith(last):
            return Route("converse", _plain(rest.removesuffix(last).decode("latin-1")), stream)
    return None


def _plain(model: str) -> str:
    return unquote(model, errors="replace")
