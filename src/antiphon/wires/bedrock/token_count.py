"""POST /model/{modelId}/count-tokens, for targets of this wire and of others (API reference, "CountTokens")."""

from typing import Any

import msgspec

from antiphon.errors import BadRequest
from antiphon.types import Target, Usage
from antiphon.wires import body as bodies
from antiphon.wires.bedrock.codec import BedrockCodec
from antiphon.wires.bedrock.passthrough import SIGNATURE_MARK, Converse, check_model_id
from antiphon.wires.checks import read_fields
from antiphon.wires.translation.token_count import TokenCountCodec, read_count
from antiphon.wires.wire import EncodedBody, Envelope, WholeAnswer, count_json_bytes

COUNT_FIELD = "inputTokens"
_UNSET: Any = msgspec.UNSET


class _Input(msgspec.Struct):
    converse: Any = _UNSET
    invoke_model: Any = msgspec.field(name="invokeModel", default=_UNSET)


class _Body(msgspec.Struct):
    input: _Input


class _RawInput(msgspec.Struct):
    converse: msgspec.Raw


class _RawBody(msgspec.Struct):
    input: _RawInput


_decode_raw = msgspec.json.Decoder(_RawBody).decode


class CountTokens(Converse):
    """Counting costs nothing. The body holds a Converse request, or a request in a model's own form."""

    operation = "bedrock_count_tokens"

    def peek(self, body: bytes, model: str = "", stream: bool | None = None) -> Envelope:
        """See :meth:`antiphon.wires.wire.Wire.peek`."""
        document = bodies.check(body)
        check_model_id(model)
        request_input = read_fields(document, _Body).input
        if (request_input.converse is _UNSET) == (request_input.invoke_model is _UNSET):
            raise BadRequest("`input` must hold one of `converse` and `invokeModel`.", param="input")
        if request_input.converse is not _UNSET:
            if type(request_input.converse) is not dict:
                raise BadRequest("`input.converse` must be an object.", code="invalid_json")
            self.check_request(request_input.converse)
        return Envelope(model, False, True, 1, document)

    def encode(self, body: bytes, envelope: Envelope, target: Target) -> EncodedBody:
        """See :meth:`Converse.encode`, which is applied to the request inside."""
        inner = _find_converse(envelope.document)
        if inner is None or SIGNATURE_MARK not in body:
            return EncodedBody(body)
        original = bytes(_decode_raw(body).input.converse)
        encoded = super().encode(original, Envelope(envelope.model, False, True, 1, inner), target).body
        return EncodedBody(body if encoded == original else b'{"input":{"converse":%b}}' % encoded)

    def read_whole(self, body: bytes) -> WholeAnswer:
        """See :meth:`antiphon.wires.wire.Wire.read_whole`."""
        read_count(body, COUNT_FIELD, self.read_error_message)
        return WholeAnswer(Usage())

    def count_input_bytes(self, envelope: Envelope) -> int:
        """See :meth:`antiphon.wires.wire.Wire.count_input_bytes`; an unknown form counts as long as its JSON."""
        inner = _find_converse(envelope.document)
        if inner is None:
            return count_json_bytes(envelope.document)
        return super().count_input_bytes(Envelope(envelope.model, False, True, 1, inner))


class CountTokensCodec(TokenCountCodec):
    """See :class:`translation.token_count.TokenCountCodec`."""

    codec = BedrockCodec
    request_fields = frozenset(("messages", "system", "toolConfig", "additionalModelRequestFields"))
    count_field = COUNT_FIELD

    def read_request(self, document: dict[str, Any], model: str) -> Any:
        if (inner := _find_converse(document)) is None:
            problem = (
                "`input.invokeModel` is in a form of one model, which this one does not know; send `input.converse`."
            )
            raise BadRequest(problem, param="input.invokeModel")
        return super().read_request(inner, model)

    def wrap_request(self, body: dict[str, Any], target: Target) -> dict[str, Any]:
        return {"input": {"converse": body}}


def _find_converse(document: dict[str, Any]) -> dict[str, Any] | None:
    inner: dict[str, Any] | None = document["input"].get("converse")
    return inner
