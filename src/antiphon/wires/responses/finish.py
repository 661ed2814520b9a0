"""``status`` and ``incomplete_details`` of a response in both directions (API reference, "The response object")."""

from typing import Any

from antiphon.wires.responses.types import ResponseObject
from antiphon.wires.translation.neutral import Finish, FinishReason, Refusal, ToolCall

UNFINISHED = frozenset(("queued", "in_progress"))
"""The statuses of a response that is still being made."""
_FINISH_REASONS: dict[str, FinishReason] = {"max_output_tokens": "length", "content_filter": "content_filter"}
_INCOMPLETE_REASONS: dict[str, str] = {"length": "max_output_tokens", "content_filter": "content_filter"}


def read_finish(response: ResponseObject, part_types: set[type]) -> FinishReason:
    """Return why an answer ended; ``part_types`` are the types of its parts."""
    if response.status == "incomplete":
        reason = response.incomplete_details.reason if response.incomplete_details else None
        return _FINISH_REASONS.get(reason or "", "length")
    if ToolCall in part_types:
        return "tool_calls"
    return "refusal" if Refusal in part_types else "stop"


def write_finish(finish: Finish | None, has_refusal: bool) -> tuple[str, dict[str, Any] | None]:
    """Return ``status`` and ``incomplete_details``; ``has_refusal`` says that a refusal was written.

    An answer that a classifier stopped, without the text of a refusal, counts as filtered. This wire has no reason for
    a pause, so a paused answer is incomplete without a reason.
    """
    reason = finish.reason if finish is not None else "stop"
    if reason in ("stop", "tool_calls") or (reason == "refusal" and has_refusal):
        return "completed", None
    if reason == "pause":
        return "incomplete", None
    return "incomplete", {"reason": _INCOMPLETE_REASONS.get(reason, "content_filter")}
