"""Stop reasons of Converse (API reference, "Converse": stopReason) and the neutral reason why an answer ended."""

from typing import Any

from antiphon.errors import BadAnswer
from antiphon.wires.translation.neutral import Finish, FinishReason

_REASONS: dict[str, FinishReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "tool_use": "tool_calls",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "content_filtered": "content_filter",
    "guardrail_intervened": "content_filter",
}
_MALFORMED = frozenset({"malformed_model_output", "malformed_tool_use"})
_STOP_REASONS: dict[FinishReason, str] = {
    "stop": "end_turn",
    "pause": "end_turn",
    "tool_calls": "tool_use",
    "length": "max_tokens",
    "content_filter": "content_filtered",
    "refusal": "content_filtered",
}


def read_finish(stop_reason: str, response_fields: Any, has_tool_call: bool) -> Finish:
    """Return why an answer ended; an unknown stop reason becomes ``stop``.

    ``response_fields`` is ``additionalModelResponseFields``, which holds the stop sequence if the caller asked for it.
    ``has_tool_call`` decides between ``stop`` and ``tool_calls``, because some models answer ``end_turn`` with a tool
    call, or ``tool_use`` without one. Raises :class:`BadAnswer` if the model's output was malformed.
    """
    if stop_reason in _MALFORMED:
        raise BadAnswer(f"The model's output was broken: the provider stopped it with {stop_reason!r}.")
    if stop_reason == "stop_sequence":
        return Finish("stop", _read_stop_sequence(response_fields))
    reason = _REASONS.get(stop_reason, "stop")
    if reason in ("stop", "tool_calls"):
        reason = "tool_calls" if has_tool_call else "stop"
    return Finish(reason)


def _read_stop_sequence(response_fields: Any) -> str:
    value = response_fields.get("stop_sequence") if type(response_fields) is dict else None
    return value if type(value) is str else ""


def write_finish(finish: Finish) -> dict[str, object]:
    """Return the members that say why an answer ended."""
    if finish.stop_sequence:
        fields = {"stop_sequence": finish.stop_sequence}
        return {"stopReason": "stop_sequence", "additionalModelResponseFields": fields}
    return {"stopReason": _STOP_REASONS[finish.reason]}
