"""The event payloads of a Converse stream (API reference, "ConverseStream": Response Syntax).

``messageStart`` is followed by blocks (``contentBlockStart`` for tools and images only, ``contentBlockDelta``,
``contentBlockStop``), then ``messageStop`` with the reason, then ``metadata`` with the usage. An error is an exception
frame.
"""

from typing import Any

import msgspec

from antiphon.errors import BadAnswer
from antiphon.wires.bedrock.types import AnswerMedia
from antiphon.wires.bedrock.usage import NO_USAGE, Performance, ServiceTier
from antiphon.wires.checks import DECODE_ERRORS, quote_body


class _ToolUse(msgspec.Struct, rename="camel"):
    tool_use_id: str
    name: str
    type: str | None = None


class _Image(msgspec.Struct):
    format: str = ""


class Start(msgspec.Struct, rename="camel"):
    tool_use: _ToolUse | None = None
    tool_result: Any = None
    image: _Image | None = None


class BlockStart(msgspec.Struct, rename="camel"):
    content_block_index: int
    start: Start


class _ToolInput(msgspec.Struct):
    input: str


class Reasoning(msgspec.Struct, rename="camel"):
    text: str | None = None
    signature: str | None = None
    redacted_content: str | None = None


class Delta(msgspec.Struct, rename="camel"):
    """A union: exactly one member is set."""

    text: str | None = None
    tool_use: _ToolInput | None = None
    reasoning_content: Reasoning | None = None
    citation: dict[str, Any] | None = None
    image: AnswerMedia | None = None


class BlockDelta(msgspec.Struct, rename="camel"):
    content_block_index: int
    delta: Delta


class BlockStop(msgspec.Struct, rename="camel"):
    content_block_index: int


class MessageStop(msgspec.Struct, rename="camel"):
    stop_reason: str
    additional_model_response_fields: Any = None


class Metadata(msgspec.Struct, rename="camel"):
    usage: msgspec.Raw = NO_USAGE
    service_tier: ServiceTier | None = None
    performance_config: Performance | None = None


_DECODERS: dict[str, Any] = {
    name: msgspec.json.Decoder(payload_type).decode
    for name, payload_type in {
        "messageStart": dict[str, Any],
        "contentBlockStart": BlockStart,
        "contentBlockDelta": BlockDelta,
        "contentBlockStop": BlockStop,
        "messageStop": MessageStop,
        "metadata": Metadata,
    }.items()
}


def decode_payload(kind: str, payload: bytes) -> Any:
    """Return the decoded payload of an event, ``None`` for an unknown event. Raises :class:`BadAnswer`."""
    decode = _DECODERS.get(kind)
    if decode is None:
        return None
    try:
        return decode(payload)
    except DECODE_ERRORS as error:
        problem = f"The provider's {kind} is not one of Converse ({error}): {quote_body(payload)}"
        raise BadAnswer(problem) from None
