"""What the codecs of counters share: a count is asked for with a request for generation, less what makes no token."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from antiphon.errors import BadAnswer
from antiphon.types import Target, Usage
from antiphon.wires.translation.codec import Codec, WrittenRequest

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


class TokenCountCodec:
    """Reads and writes through the wire's own codec; see :class:`translation.codec.CallerCodec` and ``FarCodec``.

    ``takes`` are the fields that this wire's counter knows, ``holds`` is where its answer has the number.
    """

    codec: Callable[[], Codec]
    takes: frozenset[str]
    holds: str
    says: dict[str, Any] = {}
    """What an answer has beside the number."""

    def read_request(self, document: dict[str, Any], model: str) -> Any:
        return self.codec().read_request(document, model, False)

    def write_request(self, request: Any, target: Target) -> list[WrittenRequest]:
        written = self.codec().write_request(request, target)
        body = {name: value for name, value in _decode(written.body).items() if name in self.takes}
        return [WrittenRequest(_encode(self.around(body, target)), written.dropped)]

    def around(self, body: dict[str, Any], target: Target) -> dict[str, Any]:
        """Return what is sent, for wires that put the request into another object."""
        return body

    def read_reply(self, bodies: Sequence[bytes], request: Any) -> int:
        (body,) = bodies
        return read_count(body, self.holds, lambda raw: repr(raw[:200].decode("utf-8", "replace")))

    def write_reply(self, reply: int, request: Any, usage: Usage) -> bytes:
        return _encode({**self.says, self.holds: reply})


def read_count(body: bytes, holds: str, refusal: Callable[[bytes], str]) -> int:
    """Return the number in a counter's answer; raises :class:`BadAnswer` where it has none."""
    try:
        count = _decode(body)[holds]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, KeyError, TypeError, IndexError):
        count = None
    if type(count) is not int or count < 0:
        raise BadAnswer(f"The provider answered without `{holds}`: {refusal(body)}")
    return count
