"""The translator between two wires for operations that never stream: embeddings and token counts.

A target may take fewer inputs in one request than the caller sent. Antiphon then sends several requests and joins their
answers.
"""

from collections.abc import Sequence

from msgspec import structs

from antiphon.types import BUCKETS, Target, Usage
from antiphon.wires.table import get_caller_codec, get_provider_codec
from antiphon.wires.translation.translator import EncodedRequest, refuse_large_integer
from antiphon.wires.wire import Envelope, StreamTranslator, WholeAnswer, Wire, estimate_usage


class BatchTranslator:
    """See :class:`translation.translator.Translator`."""

    __slots__ = (
        "_caller_codec",
        "_caller_wire",
        "_envelope",
        "_provider_codec",
        "_request",
        "operation",
        "provider_wire",
    )
    verbatim = False

    def __init__(self, caller_wire: Wire, provider_wire: Wire, envelope: Envelope, target: Target) -> None:
        self.provider_wire = provider_wire
        self.operation = provider_wire.operation
        self._caller_wire = caller_wire
        self._caller_codec = get_caller_codec(caller_wire.operation)
        self._provider_codec = get_provider_codec(provider_wire.operation)
        self._envelope = envelope
        try:
            self._request = self._caller_codec.read_request(envelope.document, target.model)
        except OverflowError:
            raise refuse_large_integer() from None

    def encode_request(self, body: bytes, target: Target) -> EncodedRequest:
        try:
            requests = self._provider_codec.write_request(self._request, target)
        except OverflowError:
            raise refuse_large_integer() from None
        dropped = tuple(dict.fromkeys(name for request in requests for name in request.dropped))
        return EncodedRequest(tuple(request.body for request in requests), dropped)

    def decode_whole(self, bodies: Sequence[bytes]) -> tuple[WholeAnswer, bytes]:
        usage = _add_usages([self.provider_wire.read_whole(body).usage for body in bodies])
        reply = self._provider_codec.read_reply(bodies, self._request)
        caller_usage = usage or estimate_usage(self._caller_wire.count_input_bytes(self._envelope), 0)
        return WholeAnswer(usage), self._caller_codec.write_reply(reply, self._request, caller_usage)

    def start_stream(self, encoded: EncodedRequest) -> StreamTranslator:
        raise NotImplementedError(f"{self.operation} does not stream")


def _add_usages(usages: list[Usage | None]) -> Usage | None:
    """Return the sum of the usage of all answers, or ``None`` if one of them has no usage."""
    counted = [usage for usage in usages if usage is not None]
    if len(counted) < len(usages):
        return None
    return structs.replace(counted[0], **{name: sum(getattr(usage, name) for usage in counted) for name in BUCKETS})
