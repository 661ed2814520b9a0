"""Embeddings made by hashing, in the shapes of OpenAI and of the Gemini API."""

import base64
import hashlib
import math
from array import array
from sys import byteorder
from typing import Any

import msgspec

from antiphon.errors import BadRequest
from antiphon.sim.openai_requests import EmbeddingRequest, InvalidRequest, list_inputs
from antiphon.sim.text import count_tokens

_MAX_DIMENSIONS = 8192
_MAX_NUMBERS = 2**20
"""Numbers in all vectors of one answer."""
_encode = msgspec.json.encode


def make_vector(seed: bytes, dimensions: int) -> "array[float]":
    """Return a unit vector of 32-bit floats that depends on ``seed`` alone.

    A shorter vector of the same seed is the start of a longer one, scaled to unit length.
    """
    numbers = array("h", hashlib.shake_256(seed).digest(dimensions * 2))
    if byteorder == "big":
        numbers.byteswap()
    length = math.sqrt(sum(number * number for number in numbers)) or 1.0
    return array("f", [number / length for number in numbers])


# OpenAI ---------------------------------------------------------------------------------------------------------------


def write_body(request: EmbeddingRequest, model: bytes, dimensions: int, usage: bytes) -> bytes:
    """Return a ``list`` of ``embedding`` objects; ``usage`` is JSON text, empty to leave it out.

    ``dimensions`` applies if the request states none. Raises :class:`InvalidRequest`.
    """
    size = dimensions if request.dimensions is None else request.dimensions
    if not 1 <= size <= _MAX_DIMENSIONS:
        raise InvalidRequest(f"'dimensions' must be from 1 to {_MAX_DIMENSIONS}, not {size}.", "dimensions")
    if request.encoding_format not in (None, "float", "base64"):
        raise InvalidRequest("'encoding_format' must be 'float' or 'base64'.", "encoding_format")
    inputs = list_inputs(request.input, "input")
    if len(inputs) * size > _MAX_NUMBERS:
        problem = f"the answer would have over {_MAX_NUMBERS} numbers; ask for fewer inputs or dimensions."
        raise InvalidRequest(problem, "input")
    write = _write_base64 if request.encoding_format == "base64" else _write_floats
    entries = [
        b'{"object":"embedding","index":%d,"embedding":%s}' % (index, write(make_vector(_get_seed(item), size)))
        for index, item in enumerate(inputs)
    ]
    ending = b',"usage":' + usage if usage else b""
    return b'{"object":"list","data":[%s],"model":%s%s}' % (b",".join(entries), model, ending)


def write_usage(request: EmbeddingRequest) -> bytes:
    """Return the usage object of an embedding answer as JSON text; raises :class:`InvalidRequest`."""
    inputs = list_inputs(request.input, "input")
    size = sum(count_tokens(item) if isinstance(item, str) else len(item) for item in inputs)
    return b'{"prompt_tokens":%d,"total_tokens":%d}' % (size, size)


def _get_seed(item: str | list[int]) -> bytes:
    return item.encode() if isinstance(item, str) else b"tokens:" + repr(item).encode()


def _write_floats(vector: "array[float]") -> bytes:
    return _encode(vector.tolist())


def _write_base64(vector: "array[float]") -> bytes:
    if byteorder == "big":
        vector.byteswap()
    return b'"' + base64.b64encode(vector.tobytes()) + b'"'


# Gemini ---------------------------------------------------------------------------------------------------------------


def write_gemini_body(document: dict[str, Any], dimensions: int) -> bytes:
    """Return the answer to ``embedContent``; raises :class:`BadRequest`."""
    return _encode({"embedding": {"values": _embed_content(document, dimensions)}})


def write_gemini_batch_body(document: dict[str, Any], dimensions: int) -> bytes:
    """Return the answer to ``batchEmbedContents``; raises :class:`BadRequest`."""
    requests = document["requests"]
    if len(requests) * dimensions > _MAX_NUMBERS:
        raise BadRequest(f"The answer would have over {_MAX_NUMBERS} numbers; ask for fewer.", param="requests")
    return _encode({"embeddings": [{"values": _embed_content(request, dimensions)} for request in requests]})


def _embed_content(request: dict[str, Any], dimensions: int) -> list[float]:
    size = request.get("outputDimensionality") or request.get("output_dimensionality") or dimensions
    if not isinstance(size, int) or not 1 <= size <= _MAX_DIMENSIONS:
        raise BadRequest(f"outputDimensionality must be from 1 to {_MAX_DIMENSIONS}.", param="outputDimensionality")
    parts = request["content"].get("parts") or []
    text = "".join(part.get("text") or "" for part in ([parts] if isinstance(parts, dict) else parts))
    return make_vector(text.encode(), size).tolist()
