"""Stop reasons of this wire and their neutral counterparts (guide "Handling stop reasons")."""

from typing import Any

from antiphon.wires.anthropic.frames import DeltaBody, Message
from antiphon.wires.translation.neutral import Finish, FinishReason

_FINISH_REASONS: dict[str, FinishReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "pause_turn": "pause",
    "refusal": "refusal",
}
_STOP_REASONS: dict[FinishReason, str] = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
    "refusal": "refusal",
    "pause": "pause_turn",
}


def read_finish(source: Message | DeltaBody) -> Finish:
    """Return the finish of a whole answer or a ``message_delta``; an unknown reason counts as an ordinary stop."""
    sequence = source.stop_sequence
    return Finish(_FINISH_REASONS.get(source.stop_reason or "", "stop"), sequence if type(sequence) is str else "")


def read_explanation(source: Message | DeltaBody) -> str:
    """Return the text that explains a refusal, or ``""``."""
    details = source.stop_details
    text = details.get("explanation") if type(details) is dict else None
    return text if type(text) is str else ""


def write_finish(finish: Finish) -> dict[str, Any]:
    """Return the members that say why an answer ended."""
    reason = "stop_sequence" if finish.reason == "stop" and finish.stop_sequence else _STOP_REASONS[finish.reason]
    sequence = finish.stop_sequence if reason == "stop_sequence" else None
    return {"stop_reason": reason, "stop_sequence": sequence, "stop_details": None}
