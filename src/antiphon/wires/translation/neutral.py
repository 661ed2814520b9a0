"""The neutral form: every generation wire is read into it and written from it when a call is translated.

It has the values that at least two wires have, under the field's standard names. A field that only one wire has is kept
in ``extras``, and any other wire reports it as dropped.

A conversation consists of messages, and a message of parts. Tool results are parts of a ``user`` message, as on most
wires; the OpenAI wire's ``tool`` messages are read into that form and written from it. A stream consists of blocks.
Each choice has at most one open block at a time, so that every wire's nesting can be written without looking ahead.
"""

from typing import Any, Literal, TypeAlias

import msgspec

from antiphon.types import Usage


class Text(msgspec.Struct, frozen=True, tag=True, omit_defaults=True):
    """Plain text. ``cache`` is Anthropic's ``cache_control`` object; ``citations`` are objects of the wire they came
    from, each with at least ``type``."""

    text: str
    cache: dict[str, Any] | None = None
    citations: tuple[dict[str, Any], ...] = ()


class Image(msgspec.Struct, frozen=True, tag=True, omit_defaults=True):
    """An image by ``url``, by base64 ``data`` with its ``media_type``, or by the provider's ``file_id``."""

    url: str = ""
    data: str = ""
    media_type: str = ""
    file_id: str = ""
    detail: str = ""
    cache: dict[str, Any] | None = None


class File(msgspec.Struct, frozen=True, tag=True, omit_defaults=True):
    """A document: by ``url``, base64 ``data`` with ``media_type``, plain ``text``, or the provider's ``file_id``."""

    url: str = ""
    data: str = ""
    media_type: str = ""
    text: str = ""
    file_id: str = ""
    name: str = ""
    cite: bool = False
    """The caller wants citations into this document."""
    cache: dict[str, Any] | None = None


class Audio(msgspec.Struct, frozen=True, tag=True, omit_defaults=True):
    """Audio as base64 ``data``; ``media_type`` is, for example, ``audio/wav``; ``transcript`` is the text, if known."""

    data: str = ""
    media_type: str = ""
    url: str = ""
    transcript: str = ""


class Thinking(msgspec.Struct, frozen=True, tag=True, omit_defaults=True):
    """The model's reasoning. ``signature`` proves it to the provider that made it and must be sent back unchanged;
    ``redacted`` holds an encrypted block in place of text. ``wire`` names the wire that made it: other wires cannot use
    the signature."""

    text: str = ""
    signature: str = ""
    redacted: str = ""
    id: str = ""
    wire: str = ""


class ToolCall(msgspec.Struct, frozen=True, tag=True, omit_defaults=True):
    """The model calls a tool. ``arguments`` is unchanged JSON text (``{}`` for none); ``signature`` is a thought
    signature that must be sent back with the call (Gemini)."""

    id: str
    name: str
    arguments: str = "{}"
    signature: str = ""
    cache: dict[str, Any] | None = None


class ToolResult(msgspec.Struct, frozen=True, tag=True, omit_defaults=True):
    """The result of the tool call ``id``; ``name`` is the tool's, if it is known."""

    id: str
    parts: "tuple[Text | Image | File | Audio, ...]" = ()
    name: str = ""
    error: bool = False
    cache: dict[str, Any] | None = None


class Refusal(msgspec.Struct, frozen=True, tag=True):
    """The model declines to answer, and says so in ``text``."""

    text: str


Part: TypeAlias = Text | Image | File | Audio | Thinking | ToolCall | ToolResult | Refusal


class Message(msgspec.Struct, frozen=True, omit_defaults=True):
    """One turn. ``system`` messages in the middle of a conversation keep their place with role ``system``."""

    role: Literal["system", "user", "assistant"]
    parts: tuple[Part, ...]
    name: str = ""


class Tool(msgspec.Struct, frozen=True, omit_defaults=True):
    """A function the model may call; ``schema`` is JSON Schema of an object.

    A provider's built-in tool has ``builtin``, its unchanged object, and the ``wire`` that knows it; no other wire can
    take it.
    """

    name: str
    description: str = ""
    schema: dict[str, Any] | None = None
    strict: bool | None = None
    cache: dict[str, Any] | None = None
    builtin: dict[str, Any] | None = None
    wire: str = ""

    @property
    def parameters(self) -> dict[str, Any]:
        """``schema`` with an explicit ``type`` and ``properties``, which OpenAI's models require of an object."""
        schema = self.schema or {}
        return {"type": "object", "properties": {}} | schema if schema.get("type", "object") == "object" else schema


class ToolChoice(msgspec.Struct, frozen=True, omit_defaults=True):
    """Whether and which tool must be called; ``names`` are set for ``tool`` (one) and may narrow ``required``."""

    mode: Literal["auto", "none", "required", "tool"]
    names: tuple[str, ...] = ()


class Format(msgspec.Struct, frozen=True, omit_defaults=True):
    """The form the answer must have: any JSON object, or JSON that satisfies ``schema``."""

    kind: Literal["json", "schema"]
    schema: dict[str, Any] | None = None
    name: str = ""
    strict: bool | None = None
    description: str = ""


EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")


class Reasoning(msgspec.Struct, frozen=True, omit_defaults=True):
    """How much to think: ``effort``, one of ``EFFORTS``, or ``budget`` in tokens; ``adaptive`` leaves it to the model.
    ``summary`` asks for a summary of the thinking (auto, concise, detailed)."""

    effort: str = ""
    budget: int | None = None
    adaptive: bool = False
    summary: str = ""


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """A request for generation. ``None`` and empty values mean that the caller left the field out; 0 is a value."""

    model: str
    messages: tuple[Message, ...]
    system: tuple[Text, ...] = ()
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    format: Format | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop: tuple[str, ...] = ()
    n: int = 1
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    reasoning: Reasoning | None = None
    user: str = ""
    metadata: dict[str, Any] | None = None
    modalities: tuple[str, ...] = ()
    """The media of the answer: ``text``, ``image``, ``audio``; if it is empty, the model decides."""
    service_tier: str = ""
    stream: bool = False
    extras: dict[str, Any] = {}
    """Top-level fields that only the caller's wire has, by name, unchanged."""
    echo: dict[str, Any] = {}
    """Fields that the caller's own wire repeats in its answers; no other wire reads or reports them."""


FinishReason: TypeAlias = Literal["stop", "length", "tool_calls", "content_filter", "refusal", "pause"]


class Finish(msgspec.Struct, frozen=True, tag=True, omit_defaults=True):
    """Why a choice ended; ``stop_sequence`` is the one that the model produced, if the wire names it."""

    reason: FinishReason
    stop_sequence: str = ""
    choice: int = 0


class Choice(msgspec.Struct, frozen=True, omit_defaults=True):
    """One answer. ``logprobs`` has OpenAI's chat shape (``content``: list of token objects)."""

    parts: tuple[Part, ...]
    finish: Finish
    logprobs: dict[str, Any] | None = None


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """A whole answer. ``id`` is the provider's; ``created`` is in seconds since the epoch, 0 if the wire has none."""

    id: str
    model: str
    choices: tuple[Choice, ...]
    usage: Usage | None = None
    created: int = 0


# Events of a stream come in this order: Start once, then for each choice its blocks and its Finish. UsageUpdate may
# come at any time after Start, and the last one counts. StreamError ends everything. ``index`` numbers the blocks of a
# choice from 0.


class Start(msgspec.Struct, frozen=True, tag=True, gc=False):
    """The answer begins; ``usage`` is the usage (of the input) that some wires report at the start."""

    id: str
    model: str
    usage: Usage | None = None


class BlockStart(msgspec.Struct, frozen=True, tag=True, omit_defaults=True, gc=False):
    """A block begins. ``kind`` says what it holds; a block of kind ``tool`` has ``id`` and ``name``."""

    index: int
    kind: Literal["text", "thinking", "tool", "refusal"]
    id: str = ""
    name: str = ""
    choice: int = 0


class Delta(msgspec.Struct, frozen=True, tag=True, omit_defaults=True, gc=False):
    """More of the open block: text, thinking, or JSON text of a tool's arguments. ``logprobs``: token objects."""

    index: int
    text: str
    logprobs: tuple[dict[str, Any], ...] = ()
    choice: int = 0


class Annotation(msgspec.Struct, frozen=True, tag=True, omit_defaults=True):
    """An addition to the open block: its ``signature``, its ``redacted`` data, or a ``citation``.

    ``wire`` names the wire that a signature belongs to.
    """

    index: int
    signature: str = ""
    redacted: str = ""
    citation: dict[str, Any] | None = None
    wire: str = ""
    choice: int = 0


class BlockStop(msgspec.Struct, frozen=True, tag=True, omit_defaults=True, gc=False):
    """The open block is complete."""

    index: int
    choice: int = 0


class Media(msgspec.Struct, frozen=True, tag=True, omit_defaults=True):
    """A whole image or document, or the next piece of audio.

    It is a separate block, without a start or a stop. The pieces of one recording have the same ``index`` and are
    consecutive; each is complete base64.
    """

    index: int
    part: Image | File | Audio
    choice: int = 0


class UsageUpdate(msgspec.Struct, frozen=True, tag=True, gc=False):
    """The usage so far; a later update replaces it."""

    usage: Usage


class StreamError(msgspec.Struct, frozen=True, tag=True, omit_defaults=True, gc=False):
    """The provider reported an error inside the stream. ``status`` is the corresponding HTTP status, or 0."""

    message: str
    status: int = 0


class StreamEnd(msgspec.Struct, frozen=True, tag=True, gc=False):
    """The wire's own end marker."""


Event: TypeAlias = (
    Start | BlockStart | Delta | Annotation | BlockStop | Media | Finish | UsageUpdate | StreamError | StreamEnd
)
