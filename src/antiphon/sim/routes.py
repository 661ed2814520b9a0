"""Which operation a path and query ask for, on every wire."""

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
_GEMINI_METHODS = {
    b":generateContent": ("generate", False),
    b":streamGenerateContent": ("generate", True),
    b":countTokens": ("gemini_count_tokens", False),
    b":embedContent": ("gemini_embed", False),
    b":batchEmbedContents": ("gemini_embed_batch", False),
}
_CONVERSE_SUFFIXES = {b"/converse": False, b"/converse-stream": True}
KNOWN_PATHS = (
    *(f"/v1{suffix.decode()}" for suffix in _SUFFIXES),
    *(f"/v1beta/models/{{model}}{method.decode()}" for method in _GEMINI_METHODS),
    *(f"/model/{{model}}{suffix.decode()}" for suffix in _CONVERSE_SUFFIXES),
    "/v1/models",
)


class Route(msgspec.Struct, frozen=True):
    """The operation that a path names. ``model`` and ``stream`` are set on wires that put them into the path."""

    operation: str
    model: str = ""
    stream: bool | None = None
    query: str = ""


def find_route(path: bytes) -> Route | None:
    """Return the route of a path with its query, under any prefix, or ``None``."""
    path, _, query = path.partition(b"?")
    for suffix, operation in _SUFFIXES.items():
        if path.endswith(suffix) and not (operation == "completions" and path.endswith(b"/chat/completions")):
            return Route(operation, query=query.decode("latin-1"))
    _, found, rest = path.rpartition(b"/models/")
    if found:
        return _find_gemini_route(rest, query)
    _, found, rest = path.partition(b"/model/")
    return _find_converse_route(rest) if found else None


def _find_gemini_route(rest: bytes, query: bytes) -> Route | None:
    for method, (operation, stream) in _GEMINI_METHODS.items():
        if rest.endswith(method):
            return Route(operation, _decode_model(rest.removesuffix(method)), stream, query.decode("latin-1"))
    return None


def _find_converse_route(rest: bytes) -> Route | None:
    for suffix, stream in _CONVERSE_SUFFIXES.items():
        if rest.endswith(suffix):
            return Route("converse", _decode_model(rest.removesuffix(suffix)), stream)
    return None


def _decode_model(model: bytes) -> str:
    return unquote(model.decode("latin-1"), errors="replace")
