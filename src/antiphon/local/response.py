"""Answers as OpenAI shapes them, written so that no answer holds up the event loop."""

import asyncio
from array import array
from base64 import b64encode
from collections.abc import Iterable
from sys import byteorder

import msgspec

from antiphon.errors import BadAnswer
from antiphon.local.request import Asked, Refused
from antiphon.transport.seam import Headers

_NUMBERS_AT_ONCE = 16_384
"""Numbers written between two turns of the loop, about a millisecond's work."""


class LocalResponse:
    """An answer that is whole already; see :class:`antiphon.transport.seam.Response`."""

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
    def refusal(cls, refused: Refused) -> "LocalResponse":
        """Return the answer to a refused request."""
        wait: Headers = [] if refused.retry_after is None else [(b"retry-after", b"%d" % refused.retry_after)]
        return cls(refused.status, refused.body(), wait)

    async def chunk(self) -> bytes | None:
        """Return the body, then ``b""``."""
        body, self._body = self._body, b""
        return body

    async def read(self, cap: int) -> bytes:
        """Return the whole body, at most ``cap`` bytes of it."""
        if len(self._body) > cap:
            raise BadAnswer(f"the answer of the local model is larger than {cap} bytes")
        body, self._body = self._body, b""
        return body

    def nudge(self) -> None:
        """Do nothing: nobody ever waits for a body that is there."""

    def finish(self) -> None:
        """Let go."""
        self.close()

    def close(self) -> None:
        """Let go: there is no connection to keep."""
        self._body = b""


async def written(asked: Asked, vectors: Iterable["array[float]"], tokens: int) -> bytes:
    """Return a ``list`` of ``embedding`` objects with the tokens that were read."""
    shape = _base64 if asked.base64 else _floats
    entries = []
    waiting = 0
    for index, vector in enumerate(vectors):
        entries.append(b'{"object":"embedding","index":%d,"embedding":%b}' % (index, shape(vector)))
        waiting += len(vector)
        if waiting > _NUMBERS_AT_ONCE:
            waiting = 0
            await asyncio.sleep(0)
    return b'{"object":"list","data":[%b],"model":%b,"usage":{"prompt_tokens":%d,"total_tokens":%d}}' % (
        b",".join(entries),
        msgspec.json.encode(asked.model),
        tokens,
        tokens,
    )


def _floats(vector: "array[float]") -> bytes:
    return msgspec.json.encode(vector.tolist())


def _base64(vector: "array[float]") -> bytes:
    return b'"%b"' % b64encode(little_endian(vector))


def little_endian(vector: "array[float]") -> bytes:
    """Return the numbers as they travel: 32-bit floats, lowest byte first."""
    if byteorder == "big":
        vector = vector[:]
        vector.byteswap()
    return vector.tobytes()
