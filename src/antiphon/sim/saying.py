"""What a simulated model says to a question: a script's reply, a forced call, JSON of a form, or its own speech."""

import base64
from collections.abc import Callable

import msgspec

from antiphon.sim import text
from antiphon.sim.asked import Asked
from antiphon.sim.behaviour import Behaviour
from antiphon.sim.fabricate import fabricated
from antiphon.sim.requests import Refused
from antiphon.sim.script import Rule
from antiphon.sim.speech import Said, ToolCall, limited

# An answer is made in one go, and in the gateway's own process: none may hold up the others for long.
MOST_CHARACTERS = 64 * 2**20
_encode = msgspec.json.encode

SPEECH: dict[str, Callable[[Behaviour, str, bytes], str]] = {
    "echo": lambda behaviour, message, body: message,
    "lorem": lambda behaviour, message, body: text.lorem(behaviour.tokens),
    "mirror": lambda behaviour, message, body: base64.b64encode(body).decode(),
}


def said(question: Asked, behaviour: Behaviour, rule: Rule | None, body: bytes) -> Said:
    """Return what the model says."""
    answer = _called(question, rule)
    if answer is None:
        words = rule.reply if rule is not None else None
        if words is None:
            words = _formed(question, SPEECH[behaviour.speech](behaviour, question.message, body))
        answer = bounded(words, behaviour, question.stop, question.most)
    answer.thinking = text.lorem(behaviour.thinking) if behaviour.thinking else ""
    if rule is not None:
        answer.thinking = answer.thinking if rule.thinking is None else rule.thinking
        answer.finish = rule.finish or answer.finish
    return answer


def bounded(words: str, behaviour: Behaviour, stop: tuple[str, ...], most: int | None) -> Said:
    """Return what is left of the words at the request's bounds, which a mirror does not know."""
    if behaviour.speech == "mirror":
        return Said(words, whole=True)
    return limited(words, stop, most)


def _called(question: Asked, rule: Rule | None) -> Said | None:
    """Return the tool calls which the script or the request's choice asks for."""
    if rule is not None:
        if rule.tools and not question.after_tool:
            return Said(tools=rule.tools, finish="tool_calls")
        if rule.reply is not None:
            return None
    if question.must_call is None:
        return None
    offered = question.tools
    name = question.must_call or next(iter(offered), "")
    if name not in offered:
        raise Refused("'tool_choice' asks for a function that is not in 'tools'.", "tool_choice")
    return Said(tools=(ToolCall(name, fabricated(offered[name], question.message)),), finish="tool_calls")


def _formed(question: Asked, words: str) -> str:
    """Return what was said in the form which the request asks for."""
    if question.form is None:
        return words
    return fabricated(question.form, words) if question.form else _encode({"text": words}).decode()


def copies(n: int | None, said: Said) -> int:
    """Return how many answers to give, all the same; raises :class:`Refused`."""
    copies = 1 if n is None else n
    if not 1 <= copies <= 128:
        raise Refused("'n' must be from 1 to 128.", "n")
    if copies * len(said.text) > MOST_CHARACTERS:
        raise Refused("the answer would be too long; ask for a smaller 'n'.", "n")
    return copies
