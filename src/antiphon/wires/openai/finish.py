"""``finish_reason`` in both directions (API reference, "The chat completion object")."""

from antiphon.wires.translation.neutral import FinishReason

_FINISH_REASONS: dict[str, FinishReason] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
}
_WIRE_REASONS: dict[FinishReason, str] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "content_filter": "content_filter",
    "refusal": "content_filter",
    "pause": "stop",
}


def read_finish(reason: str | None, *, has_call: bool, only_refusal: bool) -> FinishReason:
    """Return why a choice ended; ``only_refusal`` means that its message is a refusal without other text.

    Some providers finish with "stop" although the answer has a tool call. Clients would then never run the tool.
    """
    neutral = _FINISH_REASONS.get(reason or "stop", "stop")
    if neutral != "stop":
        return neutral
    if has_call:
        return "tool_calls"
    return "refusal" if only_refusal else "stop"


def write_finish(reason: FinishReason) -> str:
    """Return OpenAI's finish reason."""
    return _WIRE_REASONS[reason]
