"""The size of the text in a request or an answer of this wire, to estimate tokens that the provider does not count."""

from typing import Any

import msgspec

from antiphon.wires.openai.types import Choice, Function
from antiphon.wires.wire import count_text_bytes


def count_output_bytes(choice: Choice) -> int:
    """Return the size of a choice's message or delta in bytes; 0 means that it has no output."""
    delta = choice.delta or choice.message
    if delta is None:
        return count_text_bytes(choice.text)
    content = delta.content
    if type(content) is str and delta.tool_calls is None and delta.reasoning_content is None and delta.images is None:
        return len(content) if content.isascii() else count_text_bytes(content)  # nearly every chunk of a stream
    size = count_text_bytes(content)
    size += count_text_bytes(delta.reasoning_content) or count_text_bytes(delta.reasoning)
    size += count_text_bytes(delta.refusal)
    if type(content) is list:
        size += len(msgspec.json.encode(content))
    for call in delta.tool_calls or ():
        size += _count_function_bytes(call.function) + 1  # a call without arguments is output, too
    if delta.audio or delta.images:
        size += 1
    return size + _count_function_bytes(delta.function_call)


def _count_function_bytes(function: Function | None) -> int:
    return count_text_bytes(function.name) + count_text_bytes(function.arguments) if function else 0


def count_content_bytes(content: Any) -> int:
    """Return the size of the texts in a message's content."""
    if type(content) is list:
        return sum(count_text_bytes(part.get("text")) for part in content if type(part) is dict)
    return count_text_bytes(content)


def count_texts_bytes(value: Any) -> int:
    """Return the size of a text, of texts, or of (lists of) token ids; an id counts as one token of four bytes."""
    if type(value) is list:
        return sum(count_texts_bytes(item) for item in value)
    return 4 if type(value) is int else count_text_bytes(value)
