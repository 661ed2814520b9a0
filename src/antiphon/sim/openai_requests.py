"""The fields that the simulator reads of OpenAI's requests; like most providers, it ignores all others."""

from typing import Any

import msgspec

from antiphon.sim.text import count_tokens

MESSAGE_TOKENS = 3
"""Tokens of the frame of a message, and of the frame of a conversation."""
MEDIA_TOKENS = 85
"""Tokens of a part that is not text."""
_MAX_INPUTS = 2048


class Part(msgspec.Struct):
    """A part of a message's content: text, or an image, audio or file whose content is not read."""

    type: str
    text: str | None = None


class Message(msgspec.Struct):
    role: str
    content: str | list[Part] | None = None

    def get_text(self) -> str:
        """Return the text of the message, its parts joined."""
        content = self.content
        if content is None or isinstance(content, str):
            return content or ""
        return "".join([part.text for part in content if part.text])

    def count_tokens(self) -> int:
        """Return the size of the message in tokens, with its frame and its media."""
        size = MESSAGE_TOKENS + count_tokens(self.get_text())
        if isinstance(self.content, list):
            size += MEDIA_TOKENS * sum(part.text is None for part in self.content)
        return size


class StreamOptions(msgspec.Struct):
    include_usage: bool | None = None


class Function(msgspec.Struct):
    name: str
    parameters: Any = None


class Tool(msgspec.Struct):
    type: str
    function: Function | None = None


class JsonSchema(msgspec.Struct):
    name: str
    schema: Any = None


class ResponseFormat(msgspec.Struct):
    type: str
    json_schema: JsonSchema | None = None


class ChatRequest(msgspec.Struct):
    model: str
    messages: list[Message]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    n: int | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    stop: str | list[str] | None = None
    tools: list[Tool] | None = None
    tool_choice: Any = None
    response_format: ResponseFormat | None = None
    logprobs: bool | None = None


class CompletionRequest(msgspec.Struct):
    model: str
    prompt: str | list[str | int | list[int]] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    n: int | None = None
    max_tokens: int | None = None
    stop: str | list[str] | None = None
    echo: bool | None = None
    logprobs: int | None = None


class EmbeddingRequest(msgspec.Struct):
    model: str
    input: str | list[str | int | list[int]]
    dimensions: int | None = None
    encoding_format: str | None = None


class InvalidRequest(ValueError):
    """The request has the right types but cannot be answered (status 400); ``param`` is the field at fault."""

    def __init__(self, message: str, param: str) -> None:
        super().__init__(message)
        self.param = param


def list_inputs(value: str | list[str | int | list[int]], param: str) -> list[str | list[int]]:
    """Return the inputs of an embedding or completion request; each is a text or a list of token numbers.

    Raises :class:`InvalidRequest` for an empty input, for more than 2048 inputs and for a list of mixed kinds.
    """
    if isinstance(value, str):
        found: list[str | list[int]] = [value]
    elif value and all(isinstance(item, int) for item in value):
        found = [value]  # type: ignore[list-item]
    elif any(isinstance(item, int) for item in value):
        raise InvalidRequest(f"'{param}' mixes token numbers with other inputs; send one kind only.", param)
    else:
        found = value  # type: ignore[assignment]
    if not found or any(item == [] for item in found):
        raise InvalidRequest(f"'{param}' must not be empty.", param)
    if len(found) > _MAX_INPUTS:
        raise InvalidRequest(f"'{param}' has {len(found)} entries; at most {_MAX_INPUTS} are allowed.", param)
    return found


def list_stops(stop: str | list[str] | None) -> tuple[str, ...]:
    """Return the stop sequences of a request."""
    return (stop,) if isinstance(stop, str) else tuple(stop or ())
