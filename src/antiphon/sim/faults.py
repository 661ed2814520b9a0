"""The faults, by name: in place of an answer, in a whole answer, and in an event stream.

What belongs here: how each fault looks from outside. What does not: the content of an answer, and sockets.
"""

from collections.abc import Callable, Iterable, Iterator
from email.utils import formatdate
from itertools import islice, repeat
from typing import TypeAlias

from antiphon.sim.behaviour import Behaviour
from antiphon.sim.response_plan import End, ResponsePlan, Step
from antiphon.sim.stream_parts import StreamParts, write_broken_error
from antiphon.sim.wire_format import OPENAI, WireFormat
from antiphon.transport.interface import Headers

_JSON = (b"content-type", b"application/json")
_HTML = b"<!DOCTYPE html><html><head><title>502</title></head><body><h1>Bad gateway</h1></body></html>\n"
_REDIRECT_TARGET = b"http://redirected.invalid/v1/chat/completions"


def plan_json(status: int, body: bytes, headers: Headers, delay: float = 0.0, tokens: int = 0) -> ResponsePlan:
    """Return the plan of a response with one JSON body; ``headers`` are added to its content type."""
    return ResponsePlan(
        status=status, headers=[_JSON, *headers], steps=((0.0, body, tokens),), length=len(body), delay=delay
    )


# In place of an answer ------------------------------------------------------------------------------------------------


def find_replacement(wire_format: WireFormat, behaviour: Behaviour, headers: Headers, now: int) -> ResponsePlan | None:
    """Return the response that a fault sends in place of an answer; ``now`` is seconds since the epoch."""
    plan = _REPLACEMENTS.get(behaviour.fault)
    return plan(wire_format, behaviour, headers, now) if plan is not None else None


def _plan_status(wire_format: WireFormat, behaviour: Behaviour, headers: Headers, now: int) -> ResponsePlan:
    status = behaviour.status
    retry = _write_retry_after(behaviour.retry or (str(behaviour.after) if behaviour.after >= 0 else "none"), now)
    if status == 429:
        error = ("Rate limit reached for the simulated model.", "rate_limit_error", "rate_limit_exceeded")
    elif status >= 500:
        error = (f"The simulated provider failed with status {status}.", "server_error", "sim_failed")
    else:
        error = (f"The simulated provider refused with status {status}.", "invalid_request_error", "sim_refused")
    headers = headers + wire_format.list_error_headers(status) + ([(b"retry-after", retry)] if retry else [])
    return plan_json(status, wire_format.write_error(status, *error, None), headers, behaviour.head)


_RETRY_DATES = {"date": 5, "past": -3600, "far": 10 * 365 * 86400}
"""Seconds from now."""
_RETRY_WORDS = {"none": b"", "garbage": b"soon;=\t-1e999"}


def _write_retry_after(retry: str, now: int) -> bytes:
    if retry in _RETRY_DATES:
        return formatdate(now + _RETRY_DATES[retry], usegmt=True).encode()
    return _RETRY_WORDS.get(retry, retry.encode())


def _plan_reset(wire_format: WireFormat, behaviour: Behaviour, headers: Headers, now: int) -> ResponsePlan:
    return ResponsePlan(status=0, headers=[], end=End.RESET, delay=behaviour.head)


def _plan_silence(wire_format: WireFormat, behaviour: Behaviour, headers: Headers, now: int) -> ResponsePlan:
    return ResponsePlan(status=0, headers=[], end=End.SILENCE)


def _plan_html(wire_format: WireFormat, behaviour: Behaviour, headers: Headers, now: int) -> ResponsePlan:
    plan = plan_json(200, _HTML, headers, behaviour.head)
    plan.headers[0] = (b"content-type", b"text/html; charset=utf-8")
    return plan


def _plan_error_200(wire_format: WireFormat, behaviour: Behaviour, headers: Headers, now: int) -> ResponsePlan:
    return plan_json(200, write_broken_error(wire_format), headers, behaviour.head)


def _plan_no_content(wire_format: WireFormat, behaviour: Behaviour, headers: Headers, now: int) -> ResponsePlan:
    return ResponsePlan(status=204, headers=headers, chunked=False, delay=behaviour.head)


def _plan_redirect(wire_format: WireFormat, behaviour: Behaviour, headers: Headers, now: int) -> ResponsePlan:
    plan = plan_json(307, b"", headers, behaviour.head)
    plan.headers.append((b"location", _REDIRECT_TARGET))
    return plan


_REPLACEMENTS: dict[str, Callable[[WireFormat, Behaviour, Headers, int], ResponsePlan]] = {
    "status": _plan_status,
    "reset": _plan_reset,
    "silence": _plan_silence,
    "html": _plan_html,
    "error-200": _plan_error_200,
    "204": _plan_no_content,
    "redirect": _plan_redirect,
}


# In a whole answer ----------------------------------------------------------------------------------------------------

_BodyFault: TypeAlias = Callable[[ResponsePlan, bytes, Behaviour, WireFormat], None]


def plan_body(
    body: bytes, tokens: int, headers: Headers, behaviour: Behaviour, wire_format: WireFormat = OPENAI
) -> ResponsePlan:
    """Return the plan of an answer in one body: as late as if it were written token by token, with the fault in it."""
    delay = behaviour.head + behaviour.first
    if behaviour.tps:
        delay += tokens / behaviour.tps
    plan = plan_json(200, body, headers, delay, tokens)
    if behaviour.fault:
        if fault := _BODY_FAULTS.get(behaviour.fault):
            fault(plan, body, behaviour, wire_format)
        _break_framing(plan, behaviour)
    plan.split = behaviour.split
    return plan


def _make_cut(end: End) -> _BodyFault:
    def cut_body(plan: ResponsePlan, body: bytes, behaviour: Behaviour, wire_format: WireFormat) -> None:
        plan.steps = ((0.0, body[: len(body) // 2], 0),)
        plan.end = End.RESET if behaviour.reset else end

    return cut_body


def _break_json(plan: ResponsePlan, body: bytes, behaviour: Behaviour, wire_format: WireFormat) -> None:
    _replace_body(plan, body[:-1] + b",]")


def _send_error(plan: ResponsePlan, body: bytes, behaviour: Behaviour, wire_format: WireFormat) -> None:
    _replace_body(plan, write_broken_error(wire_format))


def _replace_body(plan: ResponsePlan, body: bytes) -> None:
    plan.steps, plan.length = ((0.0, body, 0),), len(body)


def _send_whitespace(plan: ResponsePlan, body: bytes, behaviour: Behaviour, wire_format: WireFormat) -> None:
    plan.steps, plan.length = repeat((behaviour.gap, b" ", 0)), None


_BODY_FAULTS: dict[str, _BodyFault] = {
    "stall": _make_cut(End.SILENCE),
    "cut": _make_cut(End.CUT),
    "half-close": _make_cut(End.HALF_CLOSE),
    "json": _break_json,
    "error-midstream": _send_error,
    "preamble-error": _send_error,
    "trickle": _send_whitespace,
}


def _break_framing(plan: ResponsePlan, behaviour: Behaviour) -> None:
    if behaviour.fault == "length":
        plan.steps = list(plan.steps)
        plan.length = max(sum(len(data) for _, data, _ in plan.steps) + behaviour.by, 0)
    elif behaviour.fault == "cut-at":
        plan.limit = behaviour.bytes
        plan.limit_end = End.RESET if behaviour.reset else End.CUT


# In an event stream ---------------------------------------------------------------------------------------------------

_StepsAndEnd: TypeAlias = tuple[Iterable[Step], End]
_StreamFault: TypeAlias = Callable[[StreamParts, Behaviour], _StepsAndEnd]


def plan_stream(
    parts: StreamParts, headers: Headers, behaviour: Behaviour, wire_format: WireFormat = OPENAI
) -> ResponsePlan:
    """Return the plan of an event stream at the behaviour's speed, with the fault in it."""
    steps, end = _STREAM_FAULTS.get(behaviour.fault, _send_all)(parts, behaviour)
    if wire_format.text and (behaviour.bom or behaviour.comments or behaviour.eol != "lf"):
        steps = _vary_text(steps, behaviour)
    plan = ResponsePlan(
        status=200,
        headers=[(b"content-type", wire_format.stream_type), (b"cache-control", b"no-cache"), *headers],
        steps=steps,
        end=end,
        delay=behaviour.head,
        split=behaviour.split,
    )
    _break_framing(plan, behaviour)
    return plan


def _pace(tokens: Iterable[bytes], behaviour: Behaviour) -> Iterator[Step]:
    gap = 1 / behaviour.tps if behaviour.tps else 0.0
    delay = behaviour.first
    for token in tokens:
        yield delay, token, 1
        delay = gap


def _iterate_steps(parts: StreamParts, behaviour: Behaviour, *tail: str) -> Iterator[Step]:
    """Yield the whole stream; ``tail`` names the parts after the tokens."""
    if parts.preamble:
        yield 0.0, parts.preamble, 0
    yield from _pace(parts.tokens, behaviour)
    yield 0.0, b"".join([getattr(parts, name) for name in tail]), 0  # read only after the tokens


def _iterate_first_steps(parts: StreamParts, behaviour: Behaviour) -> Iterator[Step]:
    """Yield the stream up to the token where the fault happens."""
    yield 0.0, parts.preamble, 0
    yield from _pace(islice(parts.tokens, behaviour.after), behaviour)


def _send_all(parts: StreamParts, behaviour: Behaviour) -> _StepsAndEnd:
    return _iterate_steps(parts, behaviour, "finish", "usage", "done"), End.PROPER


def _omit_done(parts: StreamParts, behaviour: Behaviour) -> _StepsAndEnd:
    return _iterate_steps(parts, behaviour, "finish", "usage"), End.PROPER


def _make_early_end(end: End) -> _StreamFault:
    def end_early(parts: StreamParts, behaviour: Behaviour) -> _StepsAndEnd:
        return _iterate_first_steps(parts, behaviour), end

    return end_early


def _cut_event(parts: StreamParts, behaviour: Behaviour) -> _StepsAndEnd:
    def iterate_steps() -> Iterator[Step]:
        tokens = iter(parts.tokens)
        yield 0.0, parts.preamble, 0
        yield from _pace(islice(tokens, behaviour.after), behaviour)
        event = next(tokens, None) or parts.finish
        yield 0.0, event[: len(event) // 2], 0

    return iterate_steps(), End.RESET if behaviour.reset else End.CUT


def _make_last_part(name: str) -> _StreamFault:
    def send_last_part(parts: StreamParts, behaviour: Behaviour) -> _StepsAndEnd:
        def iterate_steps() -> Iterator[Step]:
            yield from _iterate_first_steps(parts, behaviour)
            yield 0.0, getattr(parts, name), 0

        return iterate_steps(), End.PROPER

    return send_last_part


def _fail_after_preamble(parts: StreamParts, behaviour: Behaviour) -> _StepsAndEnd:
    return ((0.0, parts.preamble + parts.keepalive, 0), (behaviour.first, parts.failure, 0)), End.PROPER


def _send_keepalives(parts: StreamParts, behaviour: Behaviour) -> _StepsAndEnd:
    return repeat((behaviour.gap, parts.keepalive, 0)), End.PROPER


_STREAM_FAULTS: dict[str, _StreamFault] = {
    "stall": _make_early_end(End.SILENCE),
    "cut": _cut_event,
    "cut-clean": _make_early_end(End.PROPER),
    "half-close": _make_early_end(End.HALF_CLOSE),
    "no-done": _omit_done,
    "json": _make_last_part("malformed_event"),
    "error-midstream": _make_last_part("failure"),
    "preamble-error": _fail_after_preamble,
    "trickle": _send_keepalives,
}


_LINE_ENDINGS = {"lf": b"\n", "crlf": b"\r\n", "cr": b"\r"}


def _vary_text(steps: Iterable[Step], behaviour: Behaviour) -> Iterator[Step]:
    """Yield the steps with the line endings, byte order mark and comments that the behaviour asks for."""
    ending = _LINE_ENDINGS[behaviour.eol]
    mark = b"\xef\xbb\xbf" if behaviour.bom else b""
    comment = b": simulated\n\n" if behaviour.comments else b""
    for delay, data, tokens in steps:
        yield delay, mark + (comment + data).replace(b"\n", ending), tokens
        mark = b""
