"""The faults, by name: in place of an answer, in a whole answer, and in an event stream.

What belongs here: how each fault looks from outside. What does not: what the answer says, and sockets.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice, repeat
from typing import TypeAlias

from antiphon.sim.behaviour import Behaviour
from antiphon.sim.dialect import OPENAI, Dialect
from antiphon.sim.frames import Parts
from antiphon.sim.performance import End, Performance, Step
from antiphon.transport.seam import Headers

JSON = (b"content-type", b"application/json")
_HTML = b"<!DOCTYPE html><html><head><title>502</title></head><body><h1>Bad gateway</h1></body></html>\n"
_ELSEWHERE = b"http://redirected.invalid/v1/chat/completions"


def document(status: int, body: bytes, headers: Headers, delay: float = 0.0, tokens: int = 0) -> Performance:
    """Return an answer of one JSON body; ``headers`` are added to its content type."""
    return Performance(
        status=status, headers=[JSON, *headers], steps=((0.0, body, tokens),), length=len(body), delay=delay
    )


def _broken(dialect: Dialect) -> bytes:
    return dialect.error(500, "The simulated provider broke.", "server_error", "sim_broken", None)


# In place of an answer ------------------------------------------------------------------------------------------------


def _status(dialect: Dialect, behaviour: Behaviour, headers: Headers, now: int) -> Performance:
    status = behaviour.status
    retry = _retry_after(behaviour.retry or (str(behaviour.after) if behaviour.after >= 0 else "none"), now)
    if status == 429:
        told = ("Rate limit reached for the simulated model.", "rate_limit_error", "rate_limit_exceeded")
    elif status >= 500:
        told = (f"The simulated provider failed with status {status}.", "server_error", "sim_failed")
    else:
        told = (f"The simulated provider refused with status {status}.", "invalid_request_error", "sim_refused")
    headers = headers + dialect.error_headers(status) + ([(b"retry-after", retry)] if retry else [])
    return document(status, dialect.error(status, *told, None), headers, behaviour.head)


_RETRY_DATES = {"date": 5, "past": -3600, "far": 10 * 365 * 86400}
_RETRY_WORDS = {"none": b"", "garbage": b"soon;=\t-1e999"}


def _retry_after(retry: str, now: int) -> bytes:
    if retry in _RETRY_DATES:
        from email.utils import formatdate

        return formatdate(now + _RETRY_DATES[retry], usegmt=True).encode()
    return _RETRY_WORDS.get(retry, retry.encode())


def _reset(dialect: Dialect, behaviour: Behaviour, headers: Headers, now: int) -> Performance:
    return Performance(status=0, headers=[], end=End.RESET, delay=behaviour.head)


def _silence(dialect: Dialect, behaviour: Behaviour, headers: Headers, now: int) -> Performance:
    return Performance(status=0, headers=[], end=End.SILENCE)


def _html(dialect: Dialect, behaviour: Behaviour, headers: Headers, now: int) -> Performance:
    answer = document(200, _HTML, headers, behaviour.head)
    answer.headers[0] = (b"content-type", b"text/html; charset=utf-8")
    return answer


def _error_200(dialect: Dialect, behaviour: Behaviour, headers: Headers, now: int) -> Performance:
    return document(200, _broken(dialect), headers, behaviour.head)


def _empty(dialect: Dialect, behaviour: Behaviour, headers: Headers, now: int) -> Performance:
    return Performance(status=204, headers=headers, chunked=False, delay=behaviour.head)


def _redirect(dialect: Dialect, behaviour: Behaviour, headers: Headers, now: int) -> Performance:
    answer = document(307, b"", headers, behaviour.head)
    answer.headers.append((b"location", _ELSEWHERE))
    return answer


INSTEAD: dict[str, Callable[[Dialect, Behaviour, Headers, int], Performance]] = {
    "status": _status,
    "reset": _reset,
    "silence": _silence,
    "html": _html,
    "error-200": _error_200,
    "204": _empty,
    "redirect": _redirect,
}


# In a whole answer ----------------------------------------------------------------------------------------------------


def _part(end: End) -> Callable[[Performance, bytes, Behaviour, Dialect], None]:
    def broken(answer: Performance, body: bytes, behaviour: Behaviour, dialect: Dialect) -> None:
        answer.steps = ((0.0, body[: len(body) // 2], 0),)
        answer.end = End.RESET if behaviour.reset else end

    return broken


def _json_body(answer: Performance, body: bytes, behaviour: Behaviour, dialect: Dialect) -> None:
    _replace(answer, body[:-1] + b",]")


def _error_body(answer: Performance, body: bytes, behaviour: Behaviour, dialect: Dialect) -> None:
    _replace(answer, _broken(dialect))


def _replace(answer: Performance, body: bytes) -> None:
    answer.steps, answer.length = ((0.0, body, 0),), len(body)


def _trickling_body(answer: Performance, body: bytes, behaviour: Behaviour, dialect: Dialect) -> None:
    answer.steps, answer.length = repeat((behaviour.gap, b" ", 0)), None


WHOLE: dict[str, Callable[[Performance, bytes, Behaviour, Dialect], None]] = {
    "stall": _part(End.SILENCE),
    "cut": _part(End.CUT),
    "half-close": _part(End.HALF_CLOSE),
    "json": _json_body,
    "error-midstream": _error_body,
    "preamble-error": _error_body,
    "trickle": _trickling_body,
}


def whole(body: bytes, tokens: int, headers: Headers, behaviour: Behaviour, dialect: Dialect = OPENAI) -> Performance:
    """Return an answer of one body, paced as if it had been written token by token, and broken as asked."""
    delay = behaviour.head + behaviour.first
    if behaviour.tps:
        delay += tokens / behaviour.tps
    answer = document(200, body, headers, delay, tokens)
    if behaviour.fault:
        if breaking := WHOLE.get(behaviour.fault):
            breaking(answer, body, behaviour, dialect)
        _on_the_wire(answer, behaviour)
    answer.split = behaviour.split
    return answer


def _on_the_wire(answer: Performance, behaviour: Behaviour) -> None:
    if behaviour.fault == "length":
        answer.steps = list(answer.steps)
        answer.length = max(sum(len(data) for _, data, _ in answer.steps) + behaviour.by, 0)
    elif behaviour.fault == "cut-at":
        answer.limit = behaviour.bytes
        answer.limit_end = End.RESET if behaviour.reset else End.CUT


# In an event stream ---------------------------------------------------------------------------------------------------

_Broken: TypeAlias = tuple[Iterable[Step], End]


def _paced(tokens: Iterable[bytes], behaviour: Behaviour) -> Iterator[Step]:
    gap = 1 / behaviour.tps if behaviour.tps else 0.0
    delay = behaviour.first
    for token in tokens:
        yield delay, token, 1
        delay = gap


def _spoken(frames: Parts, behaviour: Behaviour, *tail: str) -> Iterator[Step]:
    if frames.preamble:
        yield 0.0, frames.preamble, 0
    yield from _paced(frames.tokens, behaviour)
    yield 0.0, b"".join([getattr(frames, part) for part in tail]), 0  # not made before the tokens are


def _some(frames: Parts, behaviour: Behaviour) -> Iterator[Step]:
    yield 0.0, frames.preamble, 0
    yield from _paced(islice(frames.tokens, behaviour.after), behaviour)


def _sound(frames: Parts, behaviour: Behaviour) -> _Broken:
    return _spoken(frames, behaviour, "finish", "usage", "done"), End.PROPER


def _no_done(frames: Parts, behaviour: Behaviour) -> _Broken:
    return _spoken(frames, behaviour, "finish", "usage"), End.PROPER


def _stall(frames: Parts, behaviour: Behaviour) -> _Broken:
    return _some(frames, behaviour), End.SILENCE


def _cut_clean(frames: Parts, behaviour: Behaviour) -> _Broken:
    return _some(frames, behaviour), End.PROPER


def _half_close(frames: Parts, behaviour: Behaviour) -> _Broken:
    return _some(frames, behaviour), End.HALF_CLOSE


def _cut(frames: Parts, behaviour: Behaviour) -> _Broken:
    def steps() -> Iterator[Step]:
        tokens = iter(frames.tokens)
        yield 0.0, frames.preamble, 0
        yield from _paced(islice(tokens, behaviour.after), behaviour)
        half = next(tokens, None) or frames.finish
        yield 0.0, half[: len(half) // 2], 0

    return steps(), End.RESET if behaviour.reset else End.CUT


def _then(part: str) -> Callable[[Parts, Behaviour], _Broken]:
    def broken(frames: Parts, behaviour: Behaviour) -> _Broken:
        def steps() -> Iterator[Step]:
            yield from _some(frames, behaviour)
            yield 0.0, getattr(frames, part), 0

        return steps(), End.PROPER

    return broken


def _preamble_error(frames: Parts, behaviour: Behaviour) -> _Broken:
    return ((0.0, frames.preamble + frames.life, 0), (behaviour.first, frames.failure, 0)), End.PROPER


def _trickle(frames: Parts, behaviour: Behaviour) -> _Broken:
    return repeat((behaviour.gap, frames.life, 0)), End.PROPER


STREAM: dict[str, Callable[[Parts, Behaviour], _Broken]] = {
    "stall": _stall,
    "cut": _cut,
    "cut-clean": _cut_clean,
    "half-close": _half_close,
    "no-done": _no_done,
    "json": _then("nonsense"),
    "error-midstream": _then("failure"),
    "preamble-error": _preamble_error,
    "trickle": _trickle,
}


def stream(frames: Parts, headers: Headers, behaviour: Behaviour, dialect: Dialect = OPENAI) -> Performance:
    """Return an event stream, paced and broken as asked."""
    steps, end = STREAM.get(behaviour.fault, _sound)(frames, behaviour)
    if dialect.textual and (behaviour.bom or behaviour.comments or behaviour.eol != "lf"):
        steps = _dressed(steps, behaviour)
    answer = Performance(
        status=200,
        headers=[(b"content-type", dialect.events), (b"cache-control", b"no-cache"), *headers],
        steps=steps,
        end=end,
        delay=behaviour.head,
        split=behaviour.split,
    )
    _on_the_wire(answer, behaviour)
    return answer


_ENDINGS = {"lf": b"\n", "crlf": b"\r\n", "cr": b"\r"}


def _dressed(steps: Iterable[Step], behaviour: Behaviour) -> Iterator[Step]:
    ending = _ENDINGS[behaviour.eol]
    start = b"\xef\xbb\xbf" if behaviour.bom else b""
    comment = b": simulated\n\n" if behaviour.comments else b""
    for delay, data, tokens in steps:
        yield delay, start + (comment + data).replace(b"\n", ending), tokens
        start = b""
