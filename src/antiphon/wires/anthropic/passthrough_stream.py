"""Observes the events of one streamed answer as they pass; see ``StreamTranslator``."""

import msgspec

from antiphon.errors import UpstreamError
from antiphon.types import Usage
from antiphon.wires.anthropic import errors
from antiphon.wires.anthropic.frames import Block, DeltaBody, Event, read_event
from antiphon.wires.anthropic.usage import UsageCounts
from antiphon.wires.wire import BYTES_PER_TOKEN, PassthroughStream, Wire, count_text_bytes

_PREAMBLE = frozenset(("text", "thinking"))
"""Blocks whose start is not yet output."""


class MessagesStream(PassthroughStream):
    """Commits at the first text, thinking, tool call, other block or stop reason; complete with a stop reason."""

    __slots__ = ("_counts", "_stopped")

    def __init__(self, wire: Wire) -> None:
        super().__init__(wire)
        self._stopped = False
        self._counts = UsageCounts()

    @property
    def complete(self) -> bool:
        return self.ended or self._stopped

    @property
    def usage(self) -> Usage | None:
        """The usage so far; before the end the input is the provider's count and the output is our estimate."""
        usage = self._counts.sum()
        if usage is None or self._stopped:
            return usage
        output = max(usage.output, -(-self.output_bytes // BYTES_PER_TOKEN))
        return msgspec.structs.replace(usage, output=output, estimated=True)

    def feed(self, frame: bytes) -> bytes:
        event = read_event(frame)
        if event.delta is not None and event.type == "content_block_delta":
            self._observe_delta(event.delta)
        elif event.content_block is not None:
            self._observe_block_start(event.content_block)
        elif event.error is not None or event.type == "error":
            kind, message = errors.read_error(event.error)
            self.error = UpstreamError(
                f"The provider reported an error: {message}", status=errors.STATUSES.get(kind, 502)
            )
        else:
            self._observe_message(event)
        return frame

    def _observe_delta(self, delta: DeltaBody) -> None:
        size = count_text_bytes(delta.text) + count_text_bytes(delta.thinking) + count_text_bytes(delta.partial_json)
        if size:
            self.output_bytes += size
            self.committed = True

    def _observe_block_start(self, block: Block) -> None:
        size = count_text_bytes(block.text) + count_text_bytes(block.thinking) + count_text_bytes(block.name)
        self.output_bytes += size
        if size or block.type not in _PREAMBLE:
            self.committed = True

    def _observe_message(self, event: Event) -> None:
        if event.message is not None:
            self._counts.add(event.message.usage)
        elif event.type == "message_delta":
            self._counts.add(event.usage)
            if event.delta is not None and event.delta.stop_reason is not None:
                self._stopped = self.committed = True
        elif event.type == "message_stop":
            self.ended = self.committed = True
