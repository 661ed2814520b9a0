"""The operations beside generation: counts of tokens, and the embeddings of the Gemini wire."""

from collections.abc import Callable
from typing import Any

import msgspec

from antiphon.errors import BadRequest
from antiphon.sim import asked, text
from antiphon.sim.routes import Route
from antiphon.wires.table import get_codec

_MOST_DIMENSIONS = 8192
_MOST_NUMBERS = 2**20
_encode = msgspec.json.encode


def answer(route: Route, document: dict[str, Any], dimensions: int) -> bytes:
    """Return the body that answers a checked request; ``dimensions`` are those of embeddings, where it does not say.

    Raises :class:`BadRequest`.
    """
    return _ANSWERS[route.operation](route, document, dimensions)


def _count(route: Route, document: dict[str, Any], dimensions: int) -> bytes:
    request = get_codec("messages").read_request({"max_tokens": 1, **document}, document.get("model", ""), False)
    return _encode({"input_tokens": asked.tokens(request)})


def _count_contents(route: Route, document: dict[str, Any], dimensions: int) -> bytes:
    given = document.get("generateContentRequest") or document.get("generate_content_request") or document
    size = asked.tokens(get_codec("generate").read_request(given, route.model, False))
    return _encode({"totalTokens": size, "promptTokensDetails": [{"modality": "TEXT", "tokenCount": size}]})


def _embed(route: Route, document: dict[str, Any], dimensions: int) -> bytes:
    return _encode({"embedding": {"values": _vector(document, dimensions)}})


def _embed_batch(route: Route, document: dict[str, Any], dimensions: int) -> bytes:
    requests = document["requests"]
    if len(requests) * dimensions > _MOST_NUMBERS:
        raise BadRequest(f"The answer would have over {_MOST_NUMBERS} numbers; ask for fewer.", param="requests")
    return _encode({"embeddings": [{"values": _vector(each, dimensions)} for each in requests]})


def _vector(request: dict[str, Any], dimensions: int) -> list[float]:
    size = request.get("outputDimensionality") or request.get("output_dimensionality") or dimensions
    if not isinstance(size, int) or not 1 <= size <= _MOST_DIMENSIONS:
        raise BadRequest(f"outputDimensionality must be from 1 to {_MOST_DIMENSIONS}.", param="outputDimensionality")
    parts = request["content"].get("parts") or []
    words = "".join(part.get("text") or "" for part in ([parts] if isinstance(parts, dict) else parts))
    return text.vector(words.encode(), size).tolist()


_ANSWERS: dict[str, Callable[[Route, dict[str, Any], int], bytes]] = {
    "count_tokens": _count,
    "gemini_count_tokens": _count_contents,
    "gemini_embed": _embed,
    "gemini_embed_batch": _embed_batch,
}
