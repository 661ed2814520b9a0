"""Stop reasons of Converse (API reference, "Converse": stopReason) and why an answer ended."""

from antiphon.errors import BadAnswer
from antiphon.wires.translation.neutral import Finish, FinishReason

_READ: dict[str, FinishReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "tool_use": "tool_calls",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "content_filtered": "content_filter",
    "guardrail_intervened": "content_filter",
}
_BROKEN = frozenset({"malformed_model_output", "malformed_tool_use"})
_WRITTEN: dict[FinishReason, str] = {
    "stop": "end_turn",
    "pause": "end_turn",
    "tool_calls": "tool_use",
    "length": "max_tokens",
    "content_filter": "content_filtered",
    "refusal": "content_filtered",
}


def read(reason: str, stop_sequence: str, called: bool) -> Finish:
    """Return why an answer ended; a reason that is not known is ``stop``.

    ``called`` says that the answer holds a tool call: models are known to say ``end_turn`` beside one, and ``tool_use``
    without. Raises :class:`BadAnswer` where the model's output was malformed: that is no answer to pass on.
    """
    if reason in _BROKEN:
        raise BadAnswer(f"The model's output was broken: the provider stopped it with {reason!r}.")
    found = _READ.get(reason, "stop")
    if found in ("stop", "tool_calls") and reason != "stop_sequence":
        found = "tool_calls" if called else "stop"
    return Finish(found, stop_sequence if reason == "stop_sequence" else "")


def write(finish: Finish) -> dict[str, object]:
    """Return the members that say why an answer ended."""
    if finish.stop_sequence:
        more = {"stop_sequence": finish.stop_sequence}
        return {"stopReason": "stop_sequence", "additionalModelResponseFields": more}
    return {"stopReason": _WRITTEN[finish.reason]}
