"""Why an answer ended, in this wire's words and the neutral ones (API reference, "FinishReason")."""

from antiphon.errors import BadAnswer
from antiphon.wires.translation.neutral import FinishReason

_READ: dict[str, FinishReason] = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "CONTINUATION": "pause",
}
"""Any other reason that is not a failure is a filter of the provider, or unknown: the answer was cut short on purpose,
and must not count as a whole one."""

FAILURES = frozenset(
    ("MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS", "MISSING_THOUGHT_SIGNATURE",
     "MALFORMED_RESPONSE")
)  # fmt: skip
"""The model failed; no other wire has such a finish reason, so it becomes an error there."""

_WRITE: dict[FinishReason, str] = {
    "stop": "STOP",
    "tool_calls": "STOP",
    "length": "MAX_TOKENS",
    "content_filter": "SAFETY",
    "refusal": "SAFETY",
    "pause": "OTHER",
}


def read_finish(reason: str, message: str | None, *, called: bool) -> FinishReason:
    """Return the neutral reason; ``called`` says that the answer has function calls, for which this wire has no reason.

    Raises :class:`~antiphon.errors.BadAnswer` where the model failed.
    """
    if reason in FAILURES:
        raise BadAnswer(f"The model ended its answer with {reason}: {message or 'no further explanation'}")
    neutral = _READ.get(reason, "content_filter")
    return "tool_calls" if neutral == "stop" and called else neutral


def write_finish(reason: FinishReason) -> str:
    return _WRITE[reason]
