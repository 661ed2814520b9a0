"""OpenAI's error object, written for callers and read from providers (API reference, "Error codes")."""

from typing import Any, Protocol

import msgspec

from antiphon.errors import BadAnswer, CallError
from antiphon.wires.checks import quote_body
from antiphon.wires.openai.types import CountedAnswer, read_answer, read_counted_answer


class AnyAnswer(Protocol):
    """The members with which an answer reports an error."""

    @property
    def error(self) -> Any: ...

    @property
    def object(self) -> Any: ...

    @property
    def message(self) -> Any: ...


def write_error_body(error: CallError) -> bytes:
    """Return the error object for one of our errors."""
    return msgspec.json.encode(
        {"error": {"message": error.message, "type": error.kind, "param": error.param, "code": error.code}}
    )


def read_error_message(body: bytes) -> str:
    """Return the message of a provider's error body, or an excerpt of the body if it has none."""
    try:
        message = find_error_message(read_answer(body))
    except BadAnswer:
        message = None
    return message or quote_body(body)


def find_error_message(answer: AnyAnswer) -> str | None:
    """Return the message of the error that an answer reports, or ``None`` if it reports none."""
    error = answer.error
    if error is msgspec.UNSET or error is None:
        if answer.object != "error":
            return None
        error = {"message": answer.message}
    return str(error.get("message") if type(error) is dict else error)


def read_whole_answer(body: bytes) -> CountedAnswer:
    """Return a whole answer; raises :class:`BadAnswer` for an error, and for JSON that does not belong to this wire."""
    answer = read_counted_answer(body)
    check_answer(answer)
    return answer


def check_answer(answer: AnyAnswer) -> None:
    """Raise :class:`BadAnswer` for an answer that reports an error."""
    if (message := find_error_message(answer)) is not None:
        raise make_reported_error(message, answer.error)


def make_reported_error(message: str, error: Any) -> BadAnswer:
    """Return the error for one that a provider reports in an answer; ``error`` is its error object."""
    return BadAnswer(f"The provider reported an error: {message}", status=read_error_status(error) or None)


def read_error_status(error: Any) -> int:
    """Return the HTTP status in the ``code`` of an error object, where routers put it, or 0."""
    code = error.get("code") if type(error) is dict else None
    return code if type(code) is int and 400 <= code < 600 else 0
