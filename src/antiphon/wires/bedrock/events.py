"""The shapes of Converse's events (API reference, "ConverseStream": Response Syntax).

``messageStart``, then blocks (``contentBlockStart`` for tools only, ``contentBlockDelta``, ``contentBlockStop``), then
``messageStop`` with the reason, then ``metadata`` with the usage. An error is an exception frame.
"""

from typing import Any

import msgspec

from antiphon.errors import BadAnswer
from antiphon.wires.bedrock.errors import excerpt
from antiphon.wires.bedrock.schema import Shown
from antiphon.wires.bedrock.usage import NOT_TOLD, Performance, ServiceTier


class _Call(msgspec.Struct, rename="camel"):
    tool_use_id: str
    name: str
    type: str | None = None


class _Image(msgspec.Struct):
    format: str = ""


class Start(msgspec.Struct, rename="camel"):
    tool_use: _Call | None = None
    tool_result: Any = None
    image: _Image | None = None


class BlockStart(msgspec.Struct, rename="camel"):
    content_block_index: int
    start: Start


class _Input(msgspec.Struct):
    input: str


class Reasoning(msgspec.Struct, rename="camel"):
    text: str | None = None
    signature: str | None = None
    redacted_content: str | None = None


class Delta(msgspec.Struct, rename="camel"):
    """A union: one member is set."""

    text: str | None = None
    tool_use: _Input | None = None
    reasoning_content: Reasoning | None = None
    citation: dict[str, Any] | None = None
    image: Shown | None = None


class BlockDelta(msgspec.Struct, rename="camel"):
    content_block_index: int
    delta: Delta


class BlockStop(msgspec.Struct, rename="camel"):
    content_block_index: int


class MessageStop(msgspec.Struct, rename="camel"):
    stop_reason: str
    additional_model_response_fields: Any = None


class Metadata(msgspec.Struct, rename="camel"):
    usage: msgspec.Raw = NOT_TOLD
    service_tier: ServiceTier | None = None
    performance_config: Performance | None = None


_SHAPES: dict[str, Any] = {
    name: msgspec.json.Decoder(shape).decode
    for name, shape in {
        "messageStart": dict[str, Any],
        "contentBlockStart": BlockStart,
        "contentBlockDelta": BlockDelta,
        "contentBlockStop": BlockStop,
        "messageStop": MessageStop,
        "metadata": Metadata,
    }.items()
}


def decode(kind: str, payload: bytes) -> Any:
    """Return an event's payload; ``None`` for an event that is not known. Raises :class:`BadAnswer`."""
    read = _SHAPES.get(kind)
    if read is None:
        return None
    try:
        return read(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadAnswer(f"The provider's {kind} is not one of Converse ({error}): {excerpt(payload)}") from None
