"""Responses in OpenAI's shape, written so that none blocks the event loop."""

import asyncio
from array import array
from base64 import b64encode
from collections.abc import Iterable
from sys import byteorder

import msgspec

from antiphon.errors import BadAnswer
from antiphon.local.request import EmbeddingRequest, RequestError
from antiphon.transport.interface import Headers, OnChunk

_NUMBERS_PER_TURN = 16_384
"""Numbers written between two turns of the event loop, about a millisecond's work."""


class LocalResponse:
    """A response that is complete already; see :class:`antiphon.transport.interface.Response`."""

    __slots__ = ("_body", "headers", "status")

    def __init__(self, status: int, body: bytes, headers: Headers | None = None) -> None:
        self.status = status
        self.headers: Headers = [
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(body)),
            *(headers or ()),
        ]
        self._body = body

    @classmethod
    def from_error(cls, error: RequestError) -> "LocalResponse":
        """Return the response to a rejected request."""
        headers: Headers = [] if error.retry_after is None else [(b"retry-after", b"%d" % error.retry_after)]
        return cls(error.status, error.write_body(), headers)

    async def read_chunk(self, on_chunk: OnChunk | None = None) -> bytes | None:
        """Return the body, then ``b""``."""
        body, self._body = self._body, b""
        return body

    async def read(self, cap: int) -> bytes:
        """Return the whole body; raises :class:`~antiphon.errors.BadAnswer` if it has more than ``cap`` bytes."""
        if len(self._body) > cap:
            raise BadAnswer(f"the answer of the local model is larger than {cap} bytes")
        body, self._body = self._body, b""
        return body

    def nudge(self) -> None:
        """Do nothing: the body is there, so nothing waits for it."""

    def finish(self) -> None:
        """Release the response."""
        self.close()

    def close(self) -> None:
        """Release the response; there is no connection to keep."""
        self._body = b""


async def write_body(request: EmbeddingRequest, vectors: Iterable["array[float]"], tokens: int) -> bytes:
    """Return a ``list`` of ``embedding`` objects with the number of tokens that were read."""
    write = _write_base64 if request.base64 else _write_floats
    entries = []
    numbers = 0
    for index, vector in enumerate(vectors):
        entries.append(b'{"object":"embedding","index":%d,"embedding":%b}' % (index, write(vector)))
        numbers += len(vector)
        if numbers > _NUMBERS_PER_TURN:
            numbers = 0
            await asyncio.sleep(0)
    return b'{"object":"list","data":[%b],"model":%b,"usage":{"prompt_tokens":%d,"total_tokens":%d}}' % (
        b",".join(entries),
        msgspec.json.encode(request.model),
        tokens,
        tokens,
    )


def _write_floats(vector: "array[float]") -> bytes:
    return msgspec.json.encode(vector.tolist())


def _write_base64(vector: "array[float]") -> bytes:
    return b'"%b"' % b64encode(to_little_endian(vector))


def to_little_endian(vector: "array[float]") -> bytes:
    """Return the numbers as they are sent: 32-bit floats, lowest byte first."""
    if byteorder == "big":
        vector = vector[:]
        vector.byteswap()
    return vector.tobytes()
