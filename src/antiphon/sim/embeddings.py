"""Embeddings as OpenAI shapes them, made by hashing."""

import base64
from array import array
from sys import byteorder

import msgspec

from antiphon.sim import text
from antiphon.sim.requests import EmbeddingRequest, Refused, inputs

_MOST_DIMENSIONS = 8192
_MOST_NUMBERS = 2**20


def whole(request: EmbeddingRequest, model: bytes, dimensions: int, usage: bytes) -> bytes:
    """Return a ``list`` of ``embedding`` objects; ``usage`` is JSON text, empty for none."""
    size = dimensions if request.dimensions is None else request.dimensions
    if not 1 <= size <= _MOST_DIMENSIONS:
        raise Refused(f"'dimensions' must be from 1 to {_MOST_DIMENSIONS}, not {size}.", "dimensions")
    if request.encoding_format not in (None, "float", "base64"):
        raise Refused("'encoding_format' must be 'float' or 'base64'.", "encoding_format")
    found = inputs(request.input, "input")
    if len(found) * size > _MOST_NUMBERS:
        raise Refused(
            f"the answer would have over {_MOST_NUMBERS} numbers; ask for fewer inputs or dimensions.", "input"
        )
    shape = _base64 if request.encoding_format == "base64" else _floats
    entries = [
        b'{"object":"embedding","index":%d,"embedding":%s}' % (index, shape(text.vector(_seed(item), size)))
        for index, item in enumerate(found)
    ]
    ending = b',"usage":' + usage if usage else b""
    return b'{"object":"list","data":[%s],"model":%s%s}' % (b",".join(entries), model, ending)


def tokens(request: EmbeddingRequest) -> int:
    """Return the size of the input in tokens."""
    found = inputs(request.input, "input")
    return sum(text.count(item) if isinstance(item, str) else len(item) for item in found)


def usage_of(prompt: int) -> bytes:
    """Return the usage object of an embedding answer as JSON text."""
    return b'{"prompt_tokens":%d,"total_tokens":%d}' % (prompt, prompt)


def _seed(item: str | list[int]) -> bytes:
    return item.encode() if isinstance(item, str) else b"tokens:" + repr(item).encode()


def _floats(vector: "array[float]") -> bytes:
    return msgspec.json.encode(vector.tolist())


def _base64(vector: "array[float]") -> bytes:
    if byteorder == "big":
        vector.byteswap()
    return b'"' + base64.b64encode(vector.tobytes()) + b'"'
