"""POST /v1/responses/input_tokens, for targets of this wire and of others (API reference, "Get input token counts")."""

from typing import Any

from antiphon.errors import BadRequest
from antiphon.types import Usage
from antiphon.wires.responses.codec import ResponsesCodec
from antiphon.wires.responses.passthrough import Responses
from antiphon.wires.translation.token_count import TokenCountCodec, read_count
from antiphon.wires.wire import Envelope, WholeAnswer

_FIELD = "input_tokens"


class InputTokens(Responses):
    """Counts the tokens of a request for a response; counting is free."""

    operation = "input_tokens"

    def peek(self, body: bytes, model: str = "", stream: bool | None = None) -> Envelope:
        """See :meth:`antiphon.wires.wire.Wire.peek`."""
        envelope = super().peek(body, model, stream)
        if envelope.stream:
            raise BadRequest("`stream` is not possible here: a count is one number.", param="stream")
        return envelope

    def read_whole(self, body: bytes) -> WholeAnswer:
        """See :meth:`antiphon.wires.wire.Wire.read_whole`."""
        read_count(body, _FIELD, self.read_error_message)
        return WholeAnswer(Usage())


class InputTokensCodec(TokenCountCodec):
    """See :class:`translation.token_count.TokenCountCodec`."""

    codec = ResponsesCodec
    request_fields = frozenset(
        ("model", "input", "instructions", "tools", "tool_choice", "parallel_tool_calls", "reasoning", "text",
         "truncation")
    )  # fmt: skip
    count_field = _FIELD
    reply_fields: dict[str, Any] = {"object": "response.input_tokens"}
