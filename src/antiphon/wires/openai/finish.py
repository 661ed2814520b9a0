"""``finish_reason`` in both directions (API reference, "The chat completion object")."""

from antiphon.wires.translation.neutral import FinishReason

_READ: dict[str, FinishReason] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
}
_WRITTEN: dict[FinishReason, str] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "content_filter": "content_filter",
    "refusal": "content_filter",
    "pause": "stop",
}


def read_finish(reason: str | None, *, has_call: bool, only_refusal: bool) -> FinishReason:
    """Return why a choice ended; ``only_refusal`` means that its message is a refusal without other text.

    Some providers finish with "stop" although they ask for a tool. Clients would then never run it.
    """
    read = _READ.get(reason or "stop", "stop")
    if read != "stop":
        return read
    if has_call:
        return "tool_calls"
    return "refusal" if only_refusal else "stop"


def write_finish(reason: FinishReason) -> str:
    """Return OpenAI's word for why a choice ended."""
    return _WRITTEN[reason]
