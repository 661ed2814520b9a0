"""Writes how much to think, in the form that the model accepts (guides "Thinking", "Effort")."""

from typing import Any

from antiphon.types import Profile
from antiphon.wires.anthropic.content_writer import Dropped
from antiphon.wires.translation.effort import LEAST_BUDGET, choose_effort, estimate_budget, estimate_effort
from antiphon.wires.translation.neutral import Reasoning, Request

_FORCING_CHOICES = ("any", "tool")
_OFF_FORMS: dict[str, dict[str, Any] | None] = {
    "omit": None,
    "disabled": {"type": "disabled"},
    "between_tools": {"type": "between_tools"},
}


def write_thinking(
    body: dict[str, Any],
    request: Request,
    messages: list[dict[str, Any]],
    profile: Profile,
    dropped: Dropped,
) -> None:
    """Add ``thinking`` and ``output_config.effort`` to a body that already has its tools.

    A model of unknown form gets a budget, which every compatible server knows.
    """
    reasoning = request.reasoning
    if reasoning is None:
        return
    if profile.thinking == "none":
        if reasoning.effort != "none":
            dropped["reasoning"] = None
    elif reasoning.effort == "none":
        _write_off(body, profile, dropped)
    elif profile.thinking == "adaptive":
        _write_adaptive(body, reasoning, profile, dropped)
    else:
        _write_budget(body, reasoning, messages, dropped)


def _write_off(body: dict[str, Any], profile: Profile, dropped: Dropped) -> None:
    if profile.thinking_off == "never":
        body["output_config"] = {"effort": "low"}
        dropped["reasoning"] = None
    elif (form := _OFF_FORMS[profile.thinking_off]) is not None:
        body["thinking"] = form


def _write_adaptive(body: dict[str, Any], reasoning: Reasoning, profile: Profile, dropped: Dropped) -> None:
    effort = reasoning.effort or (estimate_effort(reasoning.budget) if reasoning.budget is not None else "")
    if effort:
        if supported := choose_effort(effort, profile):
            body["output_config"] = {"effort": supported}
        else:
            dropped["reasoning"] = None
    if body.get("tool_choice", {}).get("type") in _FORCING_CHOICES:
        # Thinking is possible with `auto` and `none` only, and a forced call is part of the answer.
        dropped["reasoning"] = None
        return
    body["thinking"] = {"type": "adaptive"}
    if reasoning.summary:
        body["thinking"]["display"] = "summarized"


def _write_budget(body: dict[str, Any], reasoning: Reasoning, messages: list[dict[str, Any]], dropped: Dropped) -> None:
    budget = reasoning.budget if reasoning.budget is not None else estimate_budget(reasoning.effort)
    budget = max(budget, LEAST_BUDGET)
    limit = body["max_tokens"]
    if budget >= limit:
        budget = limit // 2  # leave room for the answer
    is_forced = body.get("tool_choice", {}).get("type") in _FORCING_CHOICES
    if budget < LEAST_BUDGET or is_forced or _is_loop_without_thinking(messages):
        dropped["reasoning"] = None
        return
    body["thinking"] = {"type": "enabled", "budget_tokens": budget}


def _is_loop_without_thinking(messages: list[dict[str, Any]]) -> bool:
    """Return whether the request continues a tool loop that did not begin with thinking of this wire.

    The API refuses such a request if it has a budget ("Expected `thinking` … but found `tool_use`").
    """
    last = messages[-1]["content"]
    if len(messages) < 2 or messages[-1]["role"] != "user" or last[0]["type"] != "tool_result":
        return False
    previous = messages[-2]
    return previous["role"] == "assistant" and previous["content"][0]["type"] not in ("thinking", "redacted_thinking")
