"""Chunks of a streamed answer read into events (API reference, "models.streamGenerateContent").

Every chunk is a small answer. A finish reason is held back until the end: it may come with the last words or behind
them, and nothing on this wire says that a stream is over.
"""

from typing import Literal

from antiphon.clock import new_id
from antiphon.errors import BadAnswer
from antiphon.types import Usage
from antiphon.wires.gemini import failure
from antiphon.wires.gemini import usage as usages
from antiphon.wires.gemini.citations import read_citations
from antiphon.wires.gemini.finish import read_finish
from antiphon.wires.gemini.logprobs import read_logprobs
from antiphon.wires.gemini.reply import code_text
from antiphon.wires.gemini.shape import UNSET, Answer, Candidate, FunctionCall, Part, arguments, blocked, read_answer
from antiphon.wires.gemini.signature import WIRE, unseal
from antiphon.wires.neutral import Closed, Ended, Event, Failed, Finish, Grown, Marked, Opened, Start, Used
from antiphon.wires.sse import data_of

_UNFINISHED = (None, "", "FINISH_REASON_UNSPECIFIED")


class StreamReader:
    """Reads one stream; see :class:`antiphon.wires.codec.EventReader`."""

    __slots__ = ("_choices", "_failed", "_started", "_usage")

    def __init__(self) -> None:
        self._choices: dict[int, _Choice] = {}
        self._usage: bytes | None = None
        self._started = False
        self._failed = False

    def read(self, frame: bytes) -> list[Event]:
        """See :meth:`antiphon.wires.codec.EventReader.read`."""
        data = data_of(frame)
        if data is None or self._failed or not data.strip():
            return []
        chunk = read_answer(data)
        events: list[Event] = []
        if chunk.error is not None:
            message = f"The provider reported an error: {failure.message_of(chunk.error)}"
            return self._fail(message, failure.status_of(chunk.error))
        if chunk.usage_metadata is not UNSET:
            self._usage = bytes(chunk.usage_metadata)
        if not self._started:
            events.append(self._start(chunk))
        if (reason := blocked(chunk)) is not None:
            self._choice(0).finish = reason
        for candidate in chunk.candidates or ():
            choice = self._choice(candidate.index or 0)
            try:
                choice.read(candidate, events)
            except BadAnswer as error:
                return [*events, *self._fail(error.message, error.status)]
        return events

    def close(self) -> list[Event]:
        """See :meth:`antiphon.wires.codec.EventReader.close`; without a finish of every choice, none of any."""
        if not self._started or self._failed:
            return []
        events: list[Event] = []
        choices = self._choices.values()
        for choice in choices:
            choice.shut(events)
        if not choices or any(choice.finish is None for choice in choices):
            return events
        events += [Finish(choice.reason, choice=index) for index, choice in self._choices.items()]
        if (usage := self._counted()) is not None:
            events.append(Used(usage))
        events.append(Ended())
        return events

    def _start(self, chunk: Answer) -> Start:
        self._started = True
        return Start(chunk.response_id or new_id("gen"), chunk.model_version or "", self._counted())

    def _counted(self) -> Usage | None:
        return None if self._usage is None else usages.read(self._usage)

    def _choice(self, index: int) -> "_Choice":
        choice = self._choices.get(index)
        if choice is None:
            choice = self._choices[index] = _Choice(index)
        return choice

    def _fail(self, message: str, status: int) -> list[Event]:
        self._failed = True
        return [Failed(message, status)]


class _Choice:
    """What is known of one candidate."""

    __slots__ = ("_block", "_citations", "_index", "_open", "_text", "called", "finish", "message")

    def __init__(self, index: int) -> None:
        self._index = index
        self._block = -1
        self._open: Literal["", "text", "thinking"] = ""
        self._text: list[str] = []
        self._citations: Candidate | None = None
        self.called = False
        self.finish: str | None = None
        self.message: str | None = None

    @property
    def reason(self) -> Literal["stop", "length", "tool_calls", "content_filter", "refusal", "pause"]:
        return read_finish(self.finish or "", self.message, called=self.called)

    def read(self, candidate: Candidate, events: list[Event]) -> None:
        """Add the events of one chunk's candidate; raises :class:`BadAnswer` where the model failed."""
        tokens = tuple(read_logprobs(candidate.logprobs_result)) if candidate.logprobs_result is not None else ()
        content = candidate.content
        for part in (content.parts if content is not None else None) or ():
            if part.text is not None:
                tokens = self._words(part, tokens, events)
            else:
                self._other(part, events)
            if part.thought_signature and part.function_call is None:
                self._sign(part, events)
        if candidate.grounding_metadata is not None or candidate.citation_metadata is not None:
            self._citations = candidate
        if candidate.finish_reason not in _UNFINISHED:
            self.finish, self.message = candidate.finish_reason, candidate.finish_message
            _ = self.reason  # raises where the model failed

    def _words(
        self, part: Part, tokens: tuple[dict[str, object], ...], events: list[Event]
    ) -> tuple[dict[str, object], ...]:
        """Add text or a thought; return the log probabilities that are still to be told."""
        text = part.text
        if not text:
            return tokens
        kind: Literal["text", "thinking"] = "thinking" if part.thought else "text"
        if self._open != kind:
            self._begin(kind, events)
        if kind == "thinking":
            events.append(Grown(self._block, text, choice=self._index))
            return tokens
        self._text.append(text)
        events.append(Grown(self._block, text, tokens, self._index))
        return ()

    def _other(self, part: Part, events: list[Event]) -> None:
        if part.function_call is not None:
            self._call(part.function_call, part.thought_signature or "", events)
            return
        shown = code_text(part)
        if (blob := part.inline_data) is not None:
            kind = (blob.mime_type or "").partition("/")[0]
            shown = f"\n![{kind}](data:{blob.mime_type};base64,{blob.data})\n"
        elif part.file_data is not None:
            shown = f"\n{part.file_data.file_uri}\n"
        if shown:
            self._words(Part(text=shown), (), events)

    def _call(self, call: FunctionCall, signature: str, events: list[Event]) -> None:
        said = arguments(call)
        self._end(events)
        self.called = True
        self._block += 1
        at, index = self._block, self._index
        events.append(Opened(at, "tool", call.id or new_id("call"), call.name, index))
        events.append(Grown(at, said, choice=index))
        if signature:
            events.append(Marked(at, signature=signature, wire=WIRE, choice=index))
        events.append(Closed(at, index))

    def _sign(self, part: Part, events: list[Event]) -> None:
        """A signature ends the thought it belongs to; one on other words is a thought without words behind them."""
        if self._open != "thinking" or not part.thought:
            self._begin("thinking", events)
        own = unseal(part.thought_signature or "", "")
        mark = Marked(self._block, own.signature, own.redacted, wire=own.wire, choice=self._index)
        events.append(mark)
        self._end(events)

    def _begin(self, kind: Literal["text", "thinking"], events: list[Event]) -> None:
        self._end(events)
        self._block += 1
        self._open = kind
        events.append(Opened(self._block, kind, choice=self._index))

    def _end(self, events: list[Event]) -> None:
        if self._open:
            self._open = ""
            events.append(Closed(self._block, self._index))

    def shut(self, events: list[Event]) -> None:
        """Tell the citations, which come at the very end, and close what is open."""
        if (cited := self._citations) is not None:
            self._citations = None
            found = read_citations(cited.grounding_metadata, cited.citation_metadata, "".join(self._text))
            if found and self._open != "text":
                self._begin("text", events)
            events += [Marked(self._block, citation=citation, choice=self._index) for citation in found]
        self._end(events)
