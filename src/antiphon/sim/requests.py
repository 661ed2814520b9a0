"""What the simulator reads of a request; everything else in it is accepted and ignored, as providers mostly do."""

from typing import Any

import msgspec

from antiphon.sim import text


class Part(msgspec.Struct):
    """A part of a message's content: text, or an image, audio or file whose content is not looked at."""

    type: str
    text: str | None = None


class Message(msgspec.Struct):
    role: str
    content: str | list[Part] | None = None

    def words(self) -> str:
        """Return the text of the message, its parts joined."""
        content = self.content
        if content is None or isinstance(content, str):
            return content or ""
        return "".join([part.text for part in content if part.text])

    def tokens(self) -> int:
        """Return the message's size in tokens; 3 for its frame, 85 for each part that is not text."""
        size = 3 + text.count(self.words())
        if isinstance(self.content, list):
            size += 85 * sum(part.text is None for part in self.content)
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


class Refused(ValueError):
    """A request that is JSON of the right types, but not one that can be answered; ``param`` is the field at fault."""

    def __init__(self, message: str, param: str) -> None:
        super().__init__(message)
        self.param = param


def inputs(value: str | list[str | int | list[int]], param: str) -> list[str | list[int]]:
    """Return the inputs of an embedding or completion request: a text or a list of token numbers each.

    Raises :class:`Refused` for an empty input, for more than 2048 and for a mixed list.
    """
    if isinstance(value, str):
        found: list[str | list[int]] = [value]
    elif value and all(isinstance(item, int) for item in value):
        found = [value]  # type: ignore[list-item]
    elif any(isinstance(item, int) for item in value):
        raise Refused(f"'{param}' mixes token numbers with other inputs; send one kind only.", param)
    else:
        found = value  # type: ignore[assignment]
    if not found or any(item == [] for item in found):
        raise Refused(f"'{param}' must not be empty.", param)
    if len(found) > 2048:
        raise Refused(f"'{param}' has {len(found)} entries; at most 2048 are allowed.", param)
    return found
