"""Replies, stream events and embeddings in OpenAI's form, with Antiphon's information about the call.

Fields are those of OpenAI's API reference (chat completion object, chunk object, embedding list). Every other field of
the answer is reachable under its own name.
"""

import binascii
import sys
from array import array
from collections.abc import Iterator
from decimal import Decimal
from operator import attrgetter
from typing import Any, ClassVar

import msgspec

from antiphon.client.call_info import CallInfo, read_call_info
from antiphon.client.view import View
from antiphon.errors import BadAnswer
from antiphon.transport.interface import Headers

_decode = msgspec.json.Decoder().decode


class Function(View):
    """The function of a tool call; ``arguments`` is JSON text, or a piece of it in a stream."""

    __slots__ = ()
    name: str | None
    arguments: str | None


class ToolCall(View):
    """A call of a tool that the model asks for; only streams have ``index``."""

    __slots__ = ()
    _nested: ClassVar[dict[str, type[View]]] = {"function": Function}
    id: str | None
    type: str | None
    index: int | None
    function: Function


class Message(View):
    """A message of the model; in a stream, the part that a chunk adds to it."""

    __slots__ = ()
    _nested: ClassVar[dict[str, type[View]]] = {"tool_calls": ToolCall}
    role: str | None
    content: str | None
    refusal: str | None
    tool_calls: list[ToolCall] | None
    reasoning: str | None
    reasoning_content: str | None


class CompletionUsage(View):
    """Token counts as the provider reports them; the details count tokens that are part of the totals."""

    __slots__ = ()
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: View | None
    completion_tokens_details: View | None


class Choice(View):
    """One of the answers; ``message`` in a reply, ``delta`` in a stream."""

    __slots__ = ()
    _nested: ClassVar[dict[str, type[View]]] = {"message": Message, "delta": Message}
    index: int
    message: Message
    delta: Message
    finish_reason: str | None
    logprobs: View | None


class _Answer(View):
    """An answer and the information about its call, in one object.

    The information is read from the headers of the answer when it is first asked for.
    """

    __slots__ = ("_headers", "_info", "raw")
    _nested: ClassVar[dict[str, type[View]]] = {"choices": Choice, "usage": CompletionUsage}
    raw: bytes
    """The unchanged body."""
    _headers: Headers
    _info: CallInfo

    model: str
    object: str | None
    usage: CompletionUsage | None

    @property
    def cost(self) -> Decimal | None:
        """Dollars, exact; ``None`` if the price of a used token bucket is unknown, which is not zero."""
        return self._get_info().cost

    @property
    def call_id(self) -> str:
        """The id of the call in the ledger, in logs and in errors."""
        return self._get_info().call_id

    @property
    def target(self) -> str:
        """The ``provider/model`` that answered."""
        return self._get_info().target

    @property
    def attempts(self) -> int:
        """The number of targets that were tried, including the one that answered."""
        return self._get_info().attempts

    def _get_info(self) -> CallInfo:
        try:
            return self._info
        except AttributeError:
            self._info = info = read_call_info(self._headers)
            return info


class Reply(_Answer):
    """A whole answer of a chat: ``reply.text``, or ``reply.choices[0].message`` as with OpenAI's client."""

    __slots__ = ()
    id: str
    created: int | None
    choices: list[Choice]
    system_fingerprint: str | None
    service_tier: str | None

    def __new__(cls, raw: bytes, headers: Headers) -> "Reply":
        reply = object.__new__(cls)
        reply.raw, reply._headers = raw, headers
        reply._data = data = decode_object(raw)
        choices = data.get("choices")
        if type(choices) is not list or any(type(choice) is not dict for choice in choices):
            raise _make_bad_answer("a chat completion", "it has no list of choices")
        return reply

    def __getnewargs__(self) -> tuple[bytes, Headers]:
        return self.raw, self._headers

    @property
    def text(self) -> str:
        """The text of the first choice; empty if it has none, for example if it calls tools."""
        return join_text(_get_first(self._data, "message").get("content"))

    @property
    def reasoning(self) -> str:
        """The reasoning of the first choice; empty if the provider does not show it."""
        return find_reasoning(_get_first(self._data, "message"))

    @property
    def tool_calls(self) -> list[ToolCall]:
        """The tool calls of the first choice."""
        return [ToolCall(call) for call in _get_first(self._data, "message").get("tool_calls") or ()]

    @property
    def finish_reason(self) -> str | None:
        """Why the first choice ended: ``stop``, ``length``, ``tool_calls``, ``content_filter`` …"""
        choices = self._data.get("choices")
        return choices[0].get("finish_reason") if choices else None


class Event(View):
    """One chunk of a stream. ``text`` and ``tool_calls`` are the parts that it adds to the first choice.

    ``raw`` is the chunk's unchanged JSON. Every field of it is reachable as in :class:`View`, including the chunk's own
    ``choices``.
    """

    __slots__ = ("finish_reason", "raw", "reasoning", "text")
    _nested: ClassVar[dict[str, type[View]]] = {"choices": Choice, "usage": CompletionUsage}
    raw: bytes
    text: str
    """The text that this chunk adds; may be empty."""
    reasoning: str
    """The reasoning that this chunk adds, if the provider shows it."""
    finish_reason: str | None
    """Set on the chunk that ends the first choice."""

    id: str | None
    object: str | None
    created: int | None
    model: str | None
    choices: list[Choice]
    usage: CompletionUsage | None

    def __new__(cls, raw: bytes, data: dict[str, Any]) -> "Event":
        event = object.__new__(cls)
        event.raw, event._data = raw, data
        event.text = event.reasoning = ""
        event.finish_reason = None
        try:
            for choice in data.get("choices") or ():
                if not choice.get("index"):
                    event._read(choice)
                    break
        except (AttributeError, TypeError):
            raise _make_bad_answer("a stream of chat completion chunks", raw[:200]) from None
        return event

    def _read(self, choice: dict[str, Any]) -> None:
        delta = choice.get("delta")
        if delta:
            content = delta.get("content")
            self.text = content if type(content) is str else join_text(content)
            self.reasoning = find_reasoning(delta)
        self.finish_reason = choice.get("finish_reason")

    def __getnewargs__(self) -> tuple[bytes, dict[str, Any]]:
        return self.raw, self._data

    @property
    def tool_calls(self) -> list[ToolCall]:
        """The pieces of tool calls that this chunk adds to the first choice; join ``arguments`` by ``index``."""
        return [ToolCall(call) for call in _get_first(self._data, "delta").get("tool_calls") or ()]


class ModelCard(View):
    """An entry of the list of models."""

    __slots__ = ()
    id: str
    object: str | None
    created: int | None
    owned_by: str | None


class _Row(msgspec.Struct):
    embedding: list[float] | str
    index: int = 0


class _Rows(msgspec.Struct):
    data: list[_Row]


_decode_rows = msgspec.json.Decoder(_Rows).decode


class Embeddings(_Answer):
    """Vectors in the order of the input: ``len()``, iteration and indexing give lists of floats.

    ``data[0].embedding`` works as with OpenAI's client, and is base64 text if that encoding was asked for.
    """

    __slots__ = ("vectors",)
    vectors: list[list[float]]
    """One list of floats for each input, decoded if the encoding was base64."""
    data: list[View]

    def __new__(cls, raw: bytes, headers: Headers) -> "Embeddings":
        embeddings = object.__new__(cls)
        embeddings.raw, embeddings._headers = raw, headers
        try:
            rows = _decode_rows(raw).data
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise _make_bad_answer("a list of embeddings", error) from None
        embeddings.vectors = [_decode_floats(row.embedding) for row in sorted(rows, key=attrgetter("index"))]
        return embeddings

    def __getnewargs__(self) -> tuple[bytes, Headers]:
        return self.raw, self._headers

    def __getattr__(self, name: str) -> Any:
        # A body of vectors is large, so the OpenAI form is decoded only if it is read.
        if name == "_data":
            self._data = decode_object(self.raw)
            return self._data
        return super().__getattr__(name)

    def __getitem__(self, key: Any) -> Any:
        return super().__getitem__(key) if isinstance(key, str) else self.vectors[key]

    def __iter__(self) -> Iterator[Any]:
        return iter(self.vectors)

    def __len__(self) -> int:
        return len(self.vectors)

    def __repr__(self) -> str:
        size = len(self.vectors[0]) if self.vectors else 0
        return f"Embeddings({len(self.vectors)} vectors of {size} dimensions, target={self.target!r})"


def decode_object(raw: bytes) -> dict[str, Any]:
    """Return a decoded JSON object; raises :class:`BadAnswer` for anything else."""
    try:
        data = _decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _make_bad_answer("a JSON object", error) from None
    if type(data) is not dict:
        raise _make_bad_answer("a JSON object", f"got {type(data).__name__}")
    return data


def join_text(content: Any) -> str:
    """Return the text of a message's content, which some providers send as a list of typed parts."""
    if type(content) is str:
        return content
    if type(content) is list:
        return "".join([part["text"] for part in content if type(part) is dict and type(part.get("text")) is str])
    return ""


def find_reasoning(message: dict[str, Any]) -> str:
    """Return the reasoning of a message, which has one of two names; ``""`` if there is none."""
    reasoning = message.get("reasoning_content") or message.get("reasoning")
    return reasoning if type(reasoning) is str else ""


def _get_first(data: dict[str, Any], part: str) -> dict[str, Any]:
    for choice in data.get("choices") or ():
        if not choice.get("index"):
            return choice.get(part) or {}
    return {}


def _decode_floats(embedding: list[float] | str) -> list[float]:
    if isinstance(embedding, list):
        return embedding
    try:
        values = array("f", binascii.a2b_base64(embedding, strict_mode=True))
    except ValueError as error:
        raise _make_bad_answer("float32 numbers in base64", error) from None
    if sys.byteorder == "big":
        values.byteswap()
    return values.tolist()


def _make_bad_answer(expected: str, found: object) -> BadAnswer:
    return BadAnswer(f"The answer is not {expected}: {found}.")
