"""How much to think, in the form that the model takes.

Claude takes a budget or adaptive thinking, depending on its generation. It cannot think if a tool is forced, if the
budget leaves no room in ``max_tokens``, or in the middle of a tool loop that began without thinking. In these cases
thinking is dropped, because the other fields are part of the answer. Other models take an effort, or nothing.
"""

from typing import Any

from antiphon.wires.bedrock.body_draft import MODEL_FIELDS, BodyDraft
from antiphon.wires.translation.effort import LEAST_BUDGET, choose_effort, estimate_budget, estimate_effort
from antiphon.wires.translation.neutral import Reasoning, Request

_FORCING_MODES = ("required", "tool")
_OFF_FORMS = {"disabled": {"type": "disabled"}, "between_tools": {"type": "between_tools"}}
_NAME = "reasoning"
_THINKING = f"{MODEL_FIELDS}.thinking"


def write_thinking(draft: BodyDraft, request: Request) -> bool:
    """Write how much to think into a body that has its messages and tools; return whether Claude will think."""
    reasoning, form = request.reasoning, draft.profile.thinking
    if reasoning is None or reasoning == Reasoning(
        summary=reasoning.summary
    ):  # asking for a summary asks for no thinking
        return False
    if reasoning.effort == "none":
        _write_off(draft)
    elif form == "effort":
        _write_effort(draft, reasoning.effort)
    elif form in ("budget", "adaptive"):
        return _write_claude_thinking(draft, request, reasoning)
    else:
        draft.drop(_NAME)
    return False


def _write_off(draft: BodyDraft) -> None:
    form = draft.profile.thinking_off
    if form == "never":
        draft.put(draft.profile.effort_path, "low")
        draft.drop(_NAME)
    elif form in _OFF_FORMS:
        draft.put(_THINKING, _OFF_FORMS[form])


def _write_effort(draft: BodyDraft, effort: str) -> None:
    supported = choose_effort(effort, draft.profile)
    if not supported:
        draft.drop(_NAME)
        return
    draft.put(draft.profile.effort_path, supported)
    for path, value in draft.profile.effort_extras.items():
        draft.put(path, value)


def _write_claude_thinking(draft: BodyDraft, request: Request, reasoning: Reasoning) -> bool:
    if draft.profile.thinking == "adaptive":
        effort = reasoning.effort or (estimate_effort(reasoning.budget) if reasoning.budget is not None else "")
        if supported := choose_effort(effort, draft.profile):
            draft.put(draft.profile.effort_path, supported)
        thinking: dict[str, Any] = {"type": "adaptive"} | ({"display": "summarized"} if reasoning.summary else {})
    else:
        budget = _choose_budget(reasoning, request.max_tokens)
        if budget < LEAST_BUDGET or _is_loop_without_thinking(draft.body["messages"]):
            draft.drop(_NAME)
            return False
        thinking = {"type": "enabled", "budget_tokens": budget}
    choice = request.tool_choice
    if choice is not None and choice.mode in _FORCING_MODES:
        draft.drop(_NAME)
        return False
    draft.put(_THINKING, thinking)
    return True


def _choose_budget(reasoning: Reasoning, max_tokens: int | None) -> int:
    budget = max(estimate_budget(reasoning.effort) if reasoning.budget is None else reasoning.budget, LEAST_BUDGET)
    # Half of the tokens stay for the answer.
    return max_tokens // 2 if max_tokens is not None and budget >= max_tokens else budget


def _is_loop_without_thinking(messages: list[dict[str, Any]]) -> bool:
    if len(messages) < 2 or messages[-1]["role"] != "user" or "toolResult" not in messages[-1]["content"][0]:
        return False
    return "reasoningContent" not in messages[-2]["content"][0]
