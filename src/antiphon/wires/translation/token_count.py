"""The base of the codecs for token counts: the request is one for generation, with fewer fields."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from antiphon.errors import BadAnswer
from antiphon.types import Target, Usage
from antiphon.wires.checks import DECODE_ERRORS, quote_body
from antiphon.wires.translation.codec import Codec, WrittenRequest

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


class TokenCountCodec:
    """Uses the wire's generation codec to read and write requests.

    See :class:`translation.codec.CallerCodec` and :class:`translation.codec.ProviderCodec`.
    """

    codec: Callable[[], Codec]
    request_fields: frozenset[str]
    """The fields that this wire's token counter accepts."""
    count_field: str
    """The field of the answer that holds the number."""
    reply_fields: dict[str, Any] = {}
    """The other fields of an answer."""

    def read_request(self, document: dict[str, Any], model: str) -> Any:
        return self.codec().read_request(document, model, False)

    def write_request(self, request: Any, target: Target) -> list[WrittenRequest]:
        generation = self.codec().write_request(request, target)
        body = {name: value for name, value in _decode(generation.body).items() if name in self.request_fields}
        return [WrittenRequest(_encode(self.wrap_request(body, target)), generation.dropped)]

    def wrap_request(self, body: dict[str, Any], target: Target) -> dict[str, Any]:
        """Return the body to send, for wires that put the request into another object."""
        return body

    def read_reply(self, bodies: Sequence[bytes], request: Any) -> int:
        (body,) = bodies
        return read_count(body, self.count_field, quote_body)

    def write_reply(self, reply: int, request: Any, usage: Usage) -> bytes:
        return _encode({**self.reply_fields, self.count_field: reply})


def read_count(body: bytes, field: str, describe: Callable[[bytes], str]) -> int:
    """Return the count in an answer; raises :class:`BadAnswer`, with ``describe(body)``, if it has none."""
    try:
        count = _decode(body)[field]
    except (*DECODE_ERRORS, KeyError, TypeError, IndexError):
        count = None
    if type(count) is not int or count < 0:
        raise BadAnswer(f"The provider answered without `{field}`: {describe(body)}")
    return count
