"""POST /model/{modelId}/count-tokens, for targets of this wire and others (API reference, "CountTokens")."""

from typing import Any

import msgspec

from antiphon.errors import BadRequest
from antiphon.types import Target, Usage
from antiphon.wires import body as bodies
from antiphon.wires.bedrock import errors
from antiphon.wires.bedrock.codec import BedrockCodec
from antiphon.wires.bedrock.wire import Converse, check_model
from antiphon.wires.translation.token_counts import Counter, counted
from antiphon.wires.wire import EncodedBody, Envelope, WholeAnswer, count_json_bytes

HOLDS = "inputTokens"
_UNSET: Any = msgspec.UNSET


class _Input(msgspec.Struct):
    converse: msgspec.Raw = _UNSET
    invoke_model: msgspec.Raw = msgspec.field(name="invokeModel", default=_UNSET)


class _Body(msgspec.Struct):
    input: _Input


_decode = msgspec.json.Decoder(_Body).decode


class CountTokens(Converse):
    """Counting costs nothing; the body holds what Converse would be sent, or a request in a model's own form."""

    operation = "bedrock_count_tokens"

    def peek(self, body: bytes, model: str = "", stream: bool | None = None) -> Envelope:
        """See :meth:`antiphon.wires.wire.Wire.peek`."""
        document = bodies.check(body)
        check_model(model)
        try:
            given = _decode(body).input
        except msgspec.ValidationError as error:
            raise errors.wrong_type(str(error)) from None
        if (given.converse is _UNSET) == (given.invoke_model is _UNSET):
            raise BadRequest("`input` must hold one of `converse` and `invokeModel`.", param="input")
        if given.converse is not _UNSET:
            super().peek(bytes(given.converse), model)
        return Envelope(model, False, True, 1, document)

    def encode(self, body: bytes, envelope: Envelope, target: Target) -> EncodedBody:
        """See :meth:`antiphon.wires.wire.Wire.encode`; what only travelled through the caller stays behind."""
        if (inner := _converse(envelope.document)) is None:
            return EncodedBody(body)
        given = bytes(_decode(body).input.converse)
        sent = super().encode(given, Envelope(envelope.model, False, True, 1, inner), target).body
        return EncodedBody(body if sent == given else b'{"input":{"converse":%b}}' % sent)

    def read_whole(self, body: bytes) -> WholeAnswer:
        """See :meth:`antiphon.wires.wire.Wire.read_whole`."""
        counted(body, HOLDS, self.read_error_message)
        return WholeAnswer(Usage(), 0)

    def count_input_bytes(self, envelope: Envelope) -> int:
        """See :meth:`antiphon.wires.wire.Wire.count_input_bytes`; what is not known is as long as it is written."""
        inner = _converse(envelope.document)
        if inner is None:
            return count_json_bytes(envelope.document)
        return super().count_input_bytes(Envelope(envelope.model, False, True, 1, inner))


class CountTokensCodec(Counter):
    """See :class:`translation.token_counts.Counter`."""

    codec = BedrockCodec
    takes = frozenset(("messages", "system", "toolConfig", "additionalModelRequestFields"))
    holds = HOLDS

    def read_request(self, document: dict[str, Any], model: str) -> Any:
        if (inner := _converse(document)) is None:
            problem = (
                "`input.invokeModel` is in a form of one model, which this one does not know; send `input.converse`."
            )
            raise BadRequest(problem, param="input.invokeModel")
        return super().read_request(inner, model)

    def around(self, body: dict[str, Any], target: Target) -> dict[str, Any]:
        return {"input": {"converse": body}}


def _converse(document: dict[str, Any]) -> dict[str, Any] | None:
    inner: dict[str, Any] | None = document["input"].get("converse")
    return inner
