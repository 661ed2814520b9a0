"""Reads the chunks of a streamed answer into events (API reference, "models.streamGenerateContent").

Every chunk is a small answer. This wire has no end marker: a stream ends after the last finish reason. Each chunk may
count the tokens so far, so a stream that breaks off is billed for the tokens before.
"""

from typing import Literal

from antiphon.clock import make_id
from antiphon.errors import BadAnswer
from antiphon.types import Usage
from antiphon.wires.gemini import errors
from antiphon.wires.gemini import usage as usages
from antiphon.wires.gemini.citations import read_citations
from antiphon.wires.gemini.finish import read_finish
from antiphon.wires.gemini.logprobs import read_logprobs
from antiphon.wires.gemini.media import read_inline, read_uri
from antiphon.wires.gemini.reply import write_code_text
from antiphon.wires.gemini.reply_types import (
    UNSET,
    Answer,
    Candidate,
    FunctionCall,
    Part,
    find_block_reason,
    read_answer,
    read_arguments,
)
from antiphon.wires.gemini.signatures import WIRE, unseal
from antiphon.wires.sse import read_data
from antiphon.wires.translation.neutral import (
    Annotation,
    Audio,
    BlockStart,
    BlockStop,
    Delta,
    Event,
    File,
    Finish,
    FinishReason,
    Image,
    Media,
    Start,
    StreamEnd,
    StreamError,
    UsageUpdate,
)

_UNFINISHED = "FINISH_REASON_UNSPECIFIED"
_EMPTY = Part(text="")


class GeminiReader:
    """Reads one stream; see :class:`translation.codec.StreamReader`."""

    __slots__ = ("_choices", "_closed", "_started", "_usage")

    def __init__(self) -> None:
        self._choices: dict[int, _Choice] = {}
        self._usage = b""
        self._started = False
        self._closed = False

    def read(self, frame: bytes) -> list[Event]:
        """See :meth:`translation.codec.StreamReader.read`."""
        data = read_data(frame)
        if data is None or self._closed or not data.strip():
            return []
        chunk = read_answer(data)
        if chunk.error is not None:
            return self._fail(errors.read_message(chunk.error), errors.read_status(chunk.error))
        events: list[Event] = []
        usage = self._read_new_usage(chunk)
        if not self._started:
            self._started = True
            events.append(Start(chunk.response_id or make_id("gen"), chunk.model_version or "", usage))
        is_blocked = is_finished = find_block_reason(chunk) is not None
        if is_blocked:
            self._refuse(events)
        for candidate in chunk.candidates or ():
            choice = self._get_choice(candidate.index or 0)
            try:
                choice.read(candidate, events)
            except BadAnswer as error:
                return [*events, *self._fail(error.message, error.status)]
            is_finished = is_finished or choice.finished
        if usage is not None and (is_finished or usage.total_output):
            events.append(UsageUpdate(usage))
        return [*events, StreamEnd()] if is_blocked else events

    def close(self) -> list[Event]:
        """See :meth:`translation.codec.StreamReader.close`; a stream that was cut short has no end."""
        if not self._started or self._closed:
            return []
        events: list[Event] = []
        for choice in self._choices.values():
            choice.close(events)
        if self._choices and all(choice.finished for choice in self._choices.values()):
            events.append(StreamEnd())
        self._closed = True
        return events

    def _read_new_usage(self, chunk: Answer) -> Usage | None:
        """Return the usage of a chunk if it has changed."""
        raw = b"" if chunk.usage_metadata is UNSET else bytes(chunk.usage_metadata)
        if not raw or raw == self._usage:
            return None
        self._usage = raw
        return usages.read_usage(raw)

    def _refuse(self, events: list[Event]) -> None:
        """End every candidate, because the prompt was blocked."""
        self._closed = True
        self._get_choice(0)
        for choice in self._choices.values():
            choice.finish("content_filter", events)

    def _get_choice(self, index: int) -> "_Choice":
        choice = self._choices.get(index)
        if choice is None:
            choice = self._choices[index] = _Choice(index)
        return choice

    def _fail(self, message: str, status: int) -> list[Event]:
        self._closed = True
        return [StreamError(message, status)]


class _Choice:
    """The state of one candidate."""

    __slots__ = ("_block", "_citations", "_has_calls", "_index", "_open", "_text", "finished")

    def __init__(self, index: int) -> None:
        self._index = index
        self._block = -1
        self._open: Literal["", "text", "thinking", "audio"] = ""
        self._text: list[str] = []
        self._citations: Candidate | None = None
        self._has_calls = False
        self.finished = False

    def read(self, candidate: Candidate, events: list[Event]) -> None:
        """Add the events of one chunk's candidate; raises :class:`BadAnswer` if the model failed."""
        if self.finished:
            if candidate.content is not None and any(part != _EMPTY for part in candidate.content.parts or ()):
                raise BadAnswer("The provider went on with an answer behind its finish reason.")
            return
        tokens = tuple(read_logprobs(candidate.logprobs_result)) if candidate.logprobs_result is not None else ()
        content = candidate.content
        for part in (content.parts if content is not None else None) or ():
            if part.text is not None:
                tokens = self._read_text(part, tokens, events)
            else:
                self._read_other(part, events)
            if part.thought_signature and part.function_call is None:
                self._add_signature(part, events)
        if candidate.grounding_metadata is not None or candidate.citation_metadata is not None:
            self._citations = candidate
        if candidate.finish_reason and candidate.finish_reason != _UNFINISHED:
            reason = read_finish(candidate.finish_reason, candidate.finish_message, has_calls=self._has_calls)
            self.finish(reason, events)

    def finish(self, reason: FinishReason, events: list[Event]) -> None:
        """Close the open block and add the finish reason, once."""
        if not self.finished:
            self.finished = True
            self.close(events)
            events.append(Finish(reason, choice=self._index))

    def _read_text(
        self, part: Part, tokens: tuple[dict[str, object], ...], events: list[Event]
    ) -> tuple[dict[str, object], ...]:
        """Add text or a thought; return the log probabilities that no event has yet."""
        text = part.text
        if not text:
            return tokens
        kind: Literal["text", "thinking"] = "thinking" if part.thought else "text"
        if self._open != kind:
            self._begin(kind, events)
        if kind == "thinking":
            events.append(Delta(self._block, text, choice=self._index))
            return tokens
        self._text.append(text)
        events.append(Delta(self._block, text, tokens, self._index))
        return ()

    def _read_other(self, part: Part, events: list[Event]) -> None:
        if part.function_call is not None:
            self._add_call(part.function_call, part.thought_signature or "", events)
            return
        if (blob := part.inline_data) is not None:
            self._add_media(read_inline(blob.mime_type or "", blob.data or ""), events)
        elif (file := part.file_data) is not None:
            self._add_media(read_uri(file.mime_type or "", file.file_uri or ""), events)
        elif code := write_code_text(part):
            self._read_text(Part(text=code), (), events)

    def _add_media(self, part: Image | Audio | File, events: list[Event]) -> None:
        """Add an image, or the next piece of audio; consecutive pieces form one block."""
        is_audio = isinstance(part, Audio)
        if not is_audio or self._open != "audio":
            self._end(events)
            self._block += 1
            self._open = "audio" if is_audio else ""
        events.append(Media(self._block, part, self._index))

    def _add_call(self, call: FunctionCall, signature: str, events: list[Event]) -> None:
        arguments = read_arguments(call)
        self._end(events)
        self._has_calls = True
        self._block += 1
        block, index = self._block, self._index
        events.append(BlockStart(block, "tool", call.id or make_id("call"), call.name, index))
        if signature:  # before the arguments, because some wires write it before the call
            events.append(Annotation(block, signature=signature, wire=WIRE, choice=index))
        events += [Delta(block, arguments, choice=index), BlockStop(block, index)]

    def _add_signature(self, part: Part, events: list[Event]) -> None:
        """Add a signature to its thought and end it; on another part, it becomes an empty thought after the part."""
        if self._open != "thinking" or not part.thought:
            self._begin("thinking", events)
        thinking = unseal(part.thought_signature or "", "")
        annotation = Annotation(
            self._block, thinking.signature, thinking.redacted, wire=thinking.wire, choice=self._index
        )
        events.append(annotation)
        self._end(events)

    def _begin(self, kind: Literal["text", "thinking"], events: list[Event]) -> None:
        self._end(events)
        self._block += 1
        self._open = kind
        events.append(BlockStart(self._block, kind, choice=self._index))

    def _end(self, events: list[Event]) -> None:
        if self._open not in ("", "audio"):
            events.append(BlockStop(self._block, self._index))
        self._open = ""

    def close(self, events: list[Event]) -> None:
        """Add the citations, which come with the last text, and close the open block."""
        if (candidate := self._citations) is not None:
            self._citations = None
            citations = read_citations(candidate.grounding_metadata, candidate.citation_metadata, "".join(self._text))
            if citations and self._open != "text":
                self._begin("text", events)
            events += [Annotation(self._block, citation=citation, choice=self._index) for citation in citations]
        self._end(events)
