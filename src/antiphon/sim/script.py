"""Scripts: which answer a simulated model gives to which user message.

What belongs here: the rules and how they are matched. ``script_file`` reads them from a file.
"""

import re

import msgspec

from antiphon.sim.behaviour import Behaviour
from antiphon.sim.model_output import ToolCall


class Rule(msgspec.Struct, frozen=True):
    """One rule of a script; ``None`` and empty fields leave the model's own behaviour."""

    exact: str | None = None
    match: re.Pattern[str] | None = None
    model: str | None = None
    reply: str | None = None
    tools: tuple[ToolCall, ...] = ()
    fault: Behaviour | None = None
    delay: float | None = None
    tps: float | None = None
    usage: dict[str, int] | None = None
    thinking: str | None = None
    finish: str | None = None

    def is_match(self, model: str, message: str, after_tool: bool) -> bool:
        """Return whether the rule answers this message."""
        if self.model is not None and self.model != model:
            return False
        if after_tool and self.tools and self.reply is None:
            return False
        return message == self.exact if self.match is None else self.match.search(message) is not None


class Script(msgspec.Struct, frozen=True):
    """The rules of a script file, in order."""

    rules: tuple[Rule, ...] = ()

    def find_rule(self, model: str, message: str, after_tool: bool) -> Rule | None:
        """Return the first rule that matches; ``model`` is the name without ``sim/``."""
        for rule in self.rules:
            if rule.is_match(model, message, after_tool):
                return rule
        return None
