"""POST /v1beta/models/{model}:countTokens, for targets of this wire (API reference, "models.countTokens")."""

from typing import Any

import msgspec

from antiphon.errors import BadAnswer, BadRequest
from antiphon.types import Target, Usage
from antiphon.wires import body as bodies
from antiphon.wires.checks import DECODE_ERRORS
from antiphon.wires.gemini import errors, request_types
from antiphon.wires.gemini.passthrough import Operation, count_request_bytes, rename_model
from antiphon.wires.wire import EncodedBody, Envelope, WholeAnswer

_WRAPPERS = ("generateContentRequest", "generate_content_request")


class _Counted(msgspec.Struct, rename="camel"):
    total_tokens: int | None = None
    error: Any = None


class _Wrapper(msgspec.Struct):
    camel: msgspec.Raw | msgspec.UnsetType = msgspec.field(name=_WRAPPERS[0], default=msgspec.UNSET)
    snake: msgspec.Raw | msgspec.UnsetType = msgspec.field(name=_WRAPPERS[1], default=msgspec.UNSET)


_decode = msgspec.json.Decoder(_Counted, strict=False).decode
_decode_wrapper = msgspec.json.Decoder(_Wrapper).decode


class CountTokens(Operation):
    """Counts tokens, which costs nothing, for a complete generation request or for contents alone."""

    operation = "gemini_count_tokens"

    def check(self, body: bytes, document: dict[str, Any]) -> int:
        standard = request_types.to_standard_form(document)
        if "generateContentRequest" not in standard:
            request_types.read_lenient_fields(standard, request_types.GenerateRequest)
            return 1
        if type(standard["generateContentRequest"]) is not dict:
            raise BadRequest("`generateContentRequest` must be an object.", param="generateContentRequest")
        request_types.read_lenient_fields(
            standard["generateContentRequest"], request_types.GenerateRequest, "generateContentRequest"
        )
        return 1

    def encode(self, body: bytes, envelope: Envelope, target: Target) -> EncodedBody:
        """See :meth:`antiphon.wires.wire.Wire.encode`; the model in the wrapped request is replaced, too."""
        body = rename_model(body, envelope.document, target)
        name = next((name for name in _WRAPPERS if type(envelope.document.get(name)) is dict), None)
        if name is None:
            return EncodedBody(body)
        raw = _decode_wrapper(body)
        inner = bytes(raw.camel if name == _WRAPPERS[0] else raw.snake)  # type: ignore[arg-type]
        renamed = rename_model(inner, envelope.document[name], target)
        return EncodedBody(body if renamed == inner else bodies.replace(body, name, renamed))

    def read_whole(self, body: bytes) -> WholeAnswer:
        """See :meth:`antiphon.wires.wire.Wire.read_whole`."""
        try:
            answer = _decode(body)
        except DECODE_ERRORS:
            answer = _Counted()
        if answer.error is not None or answer.total_tokens is None:
            raise BadAnswer(f"The provider did not count: {errors.read_error_message(body)}")
        return WholeAnswer(Usage())

    def count_input_bytes(self, envelope: Envelope) -> int:
        """See :meth:`antiphon.wires.wire.Wire.count_input_bytes`."""
        return count_request_bytes(find_request(envelope.document))


def find_request(document: dict[str, Any]) -> dict[str, Any]:
    """Return the request whose tokens are counted."""
    return next((document[name] for name in _WRAPPERS if type(document.get(name)) is dict), document)
