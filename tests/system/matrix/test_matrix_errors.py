"""Errors on every pair of wires: the provider's status, raised as the class that the caller's client has for it."""

from collections.abc import Callable
from typing import Any

import anthropic
import botocore.exceptions
import openai
import pytest
from google.genai import errors as google

from system.matrix.conftest import CALLERS
from system.matrix.questions import FailedAnswer, Question, make_turns

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning:botocore"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:google"),
]

HELLO = Question(make_turns("Say it"))
OPENAI: dict[int, type[Exception]] = {
    400: openai.BadRequestError,
    401: openai.AuthenticationError,
    403: openai.PermissionDeniedError,
    404: openai.NotFoundError,
    429: openai.RateLimitError,
    500: openai.InternalServerError,
    529: openai.InternalServerError,
}
CLASSES: dict[str, dict[int, type[Exception]]] = {
    "chat": OPENAI,
    "responses": OPENAI,
    "messages": {
        400: anthropic.BadRequestError,
        401: anthropic.AuthenticationError,
        403: anthropic.PermissionDeniedError,
        404: anthropic.NotFoundError,
        429: anthropic.RateLimitError,
        500: anthropic.InternalServerError,
        529: anthropic.OverloadedError,
    },
    "generate": {status: google.ClientError if status < 500 else google.ServerError for status in OPENAI},
    "converse": dict.fromkeys(OPENAI, botocore.exceptions.ClientError),
}
BREAK_ERRORS: dict[str, Any] = {
    "chat": openai.APIError,
    "responses": (openai.APIError, FailedAnswer),
    "messages": anthropic.APIError,
    "generate": google.APIError,
    "converse": botocore.exceptions.EventStreamError,
}
CODES = {400: "ValidationException", 401: "UnrecognizedClientException", 404: "ResourceNotFoundException"} | {
    429: "ThrottlingException",
    529: "ServiceUnavailableException",
}


def get_status_and_headers(error: Any) -> tuple[int, dict[str, str]]:
    if isinstance(error, botocore.exceptions.ClientError):
        met = error.response["ResponseMetadata"]
        return met["HTTPStatusCode"], met["HTTPHeaders"]
    status = getattr(error, "status_code", None) or error.code
    return status, {name.lower(): value for name, value in error.response.headers.items()}


def ask_and_fail(matrix: Any, caller_wire: str, model: str, stream: bool, question: Question = HELLO) -> Any:
    caller = matrix.callers[caller_wire]
    with pytest.raises(Exception) as caught:  # noqa: PT011 - the calling test checks the class
        caller.ask(model, question, caller.make_history(question), stream)
    return caught.value


@pytest.mark.parametrize("status", OPENAI)
def test_an_error_of_the_provider(matrix: Any, caller_wire: str, target_wire: str, stream: bool, status: int) -> None:
    error = ask_and_fail(matrix, caller_wire, f"{target_wire}/fault-{status}:retry=7", stream)
    assert type(error) is CLASSES[caller_wire][status] or isinstance(error, botocore.exceptions.ClientError)
    found, headers = get_status_and_headers(error)
    assert (found, headers.get("retry-after")) == (status, "7")
    if caller_wire == "converse" and status in CODES:
        assert error.response["Error"]["Code"] == CODES[status]


@pytest.mark.parametrize("fault", ["fault-cut", "fault-cut-clean", "fault-json", "fault-error-midstream"])
def test_a_broken_stream_raises_an_error(matrix: Any, caller_wire: str, target_wire: str, fault: str) -> None:
    for speed in (200, 20, 2):  # slow enough to see its beginning before it breaks, even on a busy machine
        error = ask_and_fail(matrix, caller_wire, f"{target_wire}/{fault}:tps={speed}", True)
        if isinstance(error, BREAK_ERRORS[caller_wire]):
            return
        assert get_status_and_headers(error)[0] >= 500, repr(error)
    raise error


@pytest.mark.parametrize("fault", ["fault-reset", "fault-html", "fault-error-200", "fault-json", "fault-204"])
def test_an_invalid_answer(matrix: Any, caller_wire: str, target_wire: str, stream: bool, fault: str) -> None:
    if fault == "fault-json" and stream:
        pytest.skip("breaks after the first output, as proven above")
    error = ask_and_fail(matrix, caller_wire, f"{target_wire}/{fault}", stream)
    has_status = target_wire == "generate" and fault == "fault-error-200"  # its error object contains a status
    assert get_status_and_headers(error)[0] == (500 if has_status else 502)


def test_an_unknown_model(matrix: Any, caller_wire: str, stream: bool) -> None:
    error = ask_and_fail(matrix, caller_wire, "chatt/echo", stream)
    assert type(error) is CLASSES[caller_wire][404] or isinstance(error, botocore.exceptions.ClientError)
    assert get_status_and_headers(error)[0] == 404


def test_no_messages_at_all(matrix: Any, caller_wire: str, target_wire: str) -> None:
    error = ask_and_fail(matrix, caller_wire, f"{target_wire}/echo", False, Question(()))
    if isinstance(error, ValueError | botocore.exceptions.ParamValidationError):
        return  # the client itself rejects it
    assert get_status_and_headers(error)[0] == 400


@pytest.fixture
def stranger(matrix: Any, caller_wire: str) -> Any:
    caller = CALLERS[caller_wire](matrix.gateway.url, "ap-nobody")
    yield caller
    caller.close()


def test_an_unknown_key(stranger: Any, caller_wire: str, stream: bool) -> None:
    ask: Callable[..., Any] = stranger.ask
    with pytest.raises(CLASSES[caller_wire][401]) as caught:
        ask("chat/echo", HELLO, stranger.make_history(HELLO), stream)
    assert get_status_and_headers(caught.value)[0] == 401
