"""Finish reasons of this wire and the neutral ones (API reference, "FinishReason")."""

from antiphon.errors import BadAnswer
from antiphon.wires.translation.neutral import FinishReason

_FINISH_REASONS: dict[str, FinishReason] = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "CONTINUATION": "pause",
}
"""Any other reason that is not a failure is a provider's filter or unknown. The answer was then cut short on purpose,
and must not count as complete."""

FAILURES = frozenset(
    ("MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS", "MISSING_THOUGHT_SIGNATURE",
     "MALFORMED_RESPONSE")
)  # fmt: skip
"""The model failed. Other wires have no such finish reason, so it becomes an error there."""

_WIRE_REASONS: dict[FinishReason, str] = {
    "stop": "STOP",
    "tool_calls": "STOP",
    "length": "MAX_TOKENS",
    "content_filter": "SAFETY",
    "refusal": "SAFETY",
    "pause": "OTHER",
}


def read_finish(reason: str, message: str | None, *, has_calls: bool) -> FinishReason:
    """Return the neutral reason; ``has_calls`` is needed because this wire has no finish reason for function calls.

    Raises :class:`~antiphon.errors.BadAnswer` if the model failed.
    """
    if reason in FAILURES:
        raise BadAnswer(f"The model ended its answer with {reason}: {message or 'no further explanation'}")
    neutral = _FINISH_REASONS.get(reason, "content_filter")
    return "tool_calls" if neutral == "stop" and has_calls else neutral


def write_finish(reason: FinishReason) -> str:
    return _WIRE_REASONS[reason]
