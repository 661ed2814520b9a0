"""What a simulated model says to a question: a script's reply, a forced call, JSON of a schema, or its own speech."""

import base64
from collections.abc import Callable

import msgspec

from antiphon.sim.behaviour import Behaviour
from antiphon.sim.json_fabricator import fabricate_json
from antiphon.sim.model_output import ModelOutput, ToolCall, limit_text
from antiphon.sim.openai_requests import InvalidRequest
from antiphon.sim.question import Question
from antiphon.sim.script import Rule
from antiphon.sim.text import make_lorem

# An answer is made in one go, in the gateway's own process, so it must not hold up the event loop for long.
MAX_CHARACTERS = 64 * 2**20
_MAX_CHOICES = 128

SPEECHES: dict[str, Callable[[Behaviour, str, bytes], str]] = {
    "echo": lambda behaviour, message, body: message,
    "lorem": lambda behaviour, message, body: make_lorem(behaviour.tokens),
    "mirror": lambda behaviour, message, body: base64.b64encode(body).decode(),
}


def speak(question: Question, behaviour: Behaviour, rule: Rule | None, body: bytes) -> ModelOutput:
    """Return the model's output for a question; ``body`` is the request's, which a mirror repeats."""
    output = _call_tools(question, rule)
    if output is None:
        text = rule.reply if rule is not None else None
        if text is None:
            text = _fit_schema(question, SPEECHES[behaviour.speech](behaviour, question.message, body))
        output = bound_text(text, behaviour, question.stop, question.max_tokens)
    output.thinking = make_lorem(behaviour.thinking) if behaviour.thinking else ""
    if rule is not None:
        output.thinking = output.thinking if rule.thinking is None else rule.thinking
        output.finish = rule.finish or output.finish
    return output


def bound_text(text: str, behaviour: Behaviour, stops: tuple[str, ...], max_tokens: int | None) -> ModelOutput:
    """Return the text within the request's limits; a mirror ignores them."""
    if behaviour.speech == "mirror":
        return ModelOutput(text, single_token=True)
    return limit_text(text, stops, max_tokens)


def _call_tools(question: Question, rule: Rule | None) -> ModelOutput | None:
    """Return the tool calls that the script or the request demands, if any."""
    if rule is not None:
        if rule.tools and not question.after_tool:
            return ModelOutput(tools=rule.tools, finish="tool_calls")
        if rule.reply is not None:
            return None
    if question.forced_tool is None:
        return None
    name = question.forced_tool or next(iter(question.tools), "")
    if name not in question.tools:
        raise InvalidRequest("'tool_choice' asks for a function that is not in 'tools'.", "tool_choice")
    call = ToolCall(name, fabricate_json(question.tools[name], question.message))
    return ModelOutput(tools=(call,), finish="tool_calls")


def _fit_schema(question: Question, text: str) -> str:
    """Return the text in the form that the request demands."""
    if question.schema is None:
        return text
    return fabricate_json(question.schema, text) if question.schema else msgspec.json.encode({"text": text}).decode()


def repeat_output(output: ModelOutput, n: int | None) -> list[ModelOutput]:
    """Return ``n`` choices, all the same; raises :class:`InvalidRequest`."""
    copies = 1 if n is None else n
    if not 1 <= copies <= _MAX_CHOICES:
        raise InvalidRequest(f"'n' must be from 1 to {_MAX_CHOICES}.", "n")
    if copies * len(output.text) > MAX_CHARACTERS:
        raise InvalidRequest("the answer would be too long; ask for a smaller 'n'.", "n")
    return [output] * copies
