"""Why an answer ended, in this wire's words and the neutral ones (API reference, "FinishReason")."""

from antiphon.errors import BadAnswer
from antiphon.wires.translation.neutral import FinishReason

_READ: dict[str, FinishReason] = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "CONTINUATION": "pause",
}
"""Every reason that is neither here nor a failure is a filter of the provider, or one that is not known yet: the answer
is cut short on purpose, and must not pass as a whole one."""

FAILURES = frozenset(
    ("MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS", "MISSING_THOUGHT_SIGNATURE",
     "MALFORMED_RESPONSE")
)  # fmt: skip
"""The model failed; no other wire has a reason for an answer like this, so there it is an error."""

_WRITE: dict[FinishReason, str] = {
    "stop": "STOP",
    "tool_calls": "STOP",
    "length": "MAX_TOKENS",
    "content_filter": "SAFETY",
    "refusal": "SAFETY",
    "pause": "OTHER",
}


def read_finish(reason: str, message: str | None, *, called: bool) -> FinishReason:
    """Return the neutral reason; ``called`` says that functions were called, which this wire shows by their parts only.

    Raises :class:`~antiphon.errors.BadAnswer` where the model failed.
    """
    if reason in FAILURES:
        raise BadAnswer(f"The model ended its answer with {reason}: {message or 'no further explanation'}")
    neutral = _READ.get(reason, "content_filter")
    return "tool_calls" if neutral == "stop" and called else neutral


def write_finish(reason: FinishReason) -> str:
    return _WRITE[reason]
