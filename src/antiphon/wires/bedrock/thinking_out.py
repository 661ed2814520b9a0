"""How much to think, in the form that the model takes.

Claude takes a budget or adaptive thinking, by its generation. It does not think where a tool is forced, with a budget
that leaves no room in ``max_tokens``, or in the middle of a tool loop that began without its own thinking: then
thinking yields, because the rest is part of the answer. Other models take an effort, or nothing.
"""

from typing import Any

from antiphon.wires.bedrock.draft import MORE, Draft
from antiphon.wires.translation.effort import LEAST_BUDGET, choose_effort, estimate_budget, estimate_effort
from antiphon.wires.translation.neutral import Reasoning, Request

_FORCED = ("required", "tool")
_OFF = {"disabled": {"type": "disabled"}, "between_tools": {"type": "between_tools"}}
_NAME = "reasoning"
_THINKING = f"{MORE}.thinking"


def write(draft: Draft, request: Request) -> bool:
    """Write how much to think into a body that has its messages and tools; return whether Claude will think."""
    wanted, form = request.reasoning, draft.profile.thinking
    if wanted is None or wanted == Reasoning(summary=wanted.summary):  # a wish to see it asks for none
        return False
    if wanted.effort == "none":
        _write_off(draft)
    elif form == "effort":
        _write_effort(draft, wanted.effort)
    elif form in ("budget", "adaptive"):
        return _write_thinking(draft, request, wanted)
    else:
        draft.drop(_NAME)
    return False


def _write_off(draft: Draft) -> None:
    off = draft.profile.thinking_off
    if off == "never":
        draft.put(draft.profile.effort_path, "low")
        draft.drop(_NAME)
    elif off in _OFF:
        draft.put(_THINKING, _OFF[off])


def _write_effort(draft: Draft, effort: str) -> None:
    known = choose_effort(effort, draft.profile)
    if not known:
        draft.drop(_NAME)
        return
    draft.put(draft.profile.effort_path, known)
    for path, value in draft.profile.effort_extras.items():
        draft.put(path, value)


def _write_thinking(draft: Draft, request: Request, wanted: Reasoning) -> bool:
    if draft.profile.thinking == "adaptive":
        effort = wanted.effort or (estimate_effort(wanted.budget) if wanted.budget is not None else "")
        if known := choose_effort(effort, draft.profile):
            draft.put(draft.profile.effort_path, known)
        thinking: dict[str, Any] = {"type": "adaptive"} | ({"display": "summarized"} if wanted.summary else {})
    else:
        budget = _budget(wanted, request.max_tokens)
        if budget < LEAST_BUDGET or _continues_without_thinking(draft.out["messages"]):
            draft.drop(_NAME)
            return False
        thinking = {"type": "enabled", "budget_tokens": budget}
    choice = request.tool_choice
    if choice is not None and choice.mode in _FORCED:
        draft.drop(_NAME)
        return False
    draft.put(_THINKING, thinking)
    return True


def _budget(wanted: Reasoning, most: int | None) -> int:
    budget = max(estimate_budget(wanted.effort) if wanted.budget is None else wanted.budget, LEAST_BUDGET)
    return most // 2 if most is not None and budget >= most else budget  # room for an answer, too


def _continues_without_thinking(messages: list[dict[str, Any]]) -> bool:
    if len(messages) < 2 or messages[-1]["role"] != "user" or "toolResult" not in messages[-1]["content"][0]:
        return False
    return "reasoningContent" not in messages[-2]["content"][0]
