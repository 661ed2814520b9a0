"""How much to think, as the model's family takes it.

Claude takes a budget or adaptive thinking, by its generation. It does not think where a tool is forced, with a budget
that leaves no room in ``max_tokens``, or in the middle of a tool loop that began without its own thinking: then
thinking yields, because the rest is part of the answer.
"""

from typing import Any

from antiphon.wires.bedrock.draft import Draft
from antiphon.wires.bedrock.families import MORE
from antiphon.wires.claude.generations import (
    LEAST_BUDGET,
    Generation,
    budget_of,
    effort_for,
    effort_of,
)
from antiphon.wires.translation.neutral import Reasoning, Request

_FORCED = ("required", "tool")
_OFF = {"disabled": {"type": "disabled"}, "between_tools": {"type": "between_tools"}}
_NAME = "reasoning"


def write(draft: Draft, request: Request) -> bool:
    """Write how much to think into a body that has its messages and tools; return whether Claude will think."""
    wanted, family = request.reasoning, draft.family
    if wanted is None or wanted == Reasoning(summary=wanted.summary):  # a wish to see it asks for none
        return False
    if family.claude is not None:
        return _claude(draft, request, wanted, family.claude)
    if wanted.effort == "none":
        return False
    word = family.efforts.get(wanted.effort) if family.effort else None
    if word is None:
        draft.drop(_NAME)
        return False
    draft.put(family.effort, word)
    for path, value in family.beside_effort:
        draft.put(path, value)
    return False


def _claude(draft: Draft, request: Request, wanted: Reasoning, claude: Generation) -> bool:
    if claude.thinking == "none" or wanted.effort == "none":
        _off(draft, wanted, claude)
        return False
    if claude.thinking == "adaptive":
        effort = wanted.effort or (effort_for(wanted.budget) if wanted.budget is not None else "")
        if known := effort_of(effort, claude):
            draft.put(draft.family.effort, known)
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
    draft.put((MORE, "thinking"), thinking)
    return True


def _off(draft: Draft, wanted: Reasoning, claude: Generation) -> None:
    if wanted.effort != "none":
        draft.drop(_NAME)
    elif claude.off == "never":
        draft.put(draft.family.effort, "low")
        draft.drop(_NAME)
    elif claude.off in _OFF:
        draft.put((MORE, "thinking"), _OFF[claude.off])


def _budget(wanted: Reasoning, most: int | None) -> int:
    budget = max(budget_of(wanted.effort) if wanted.budget is None else wanted.budget, LEAST_BUDGET)
    return most // 2 if most is not None and budget >= most else budget  # room for an answer, too


def _continues_without_thinking(messages: list[dict[str, Any]]) -> bool:
    if len(messages) < 2 or messages[-1]["role"] != "user" or "toolResult" not in messages[-1]["content"][0]:
        return False
    return "reasoningContent" not in messages[-2]["content"][0]
