"""Errors on every pair of wires: the status is the provider's, the class is the one the caller's client knows."""

from collections.abc import Callable
from typing import Any

import anthropic
import botocore.exceptions
import openai
import pytest
from google.genai import errors as google

from system.matrix.asking import Ask, Broken, said
from system.matrix.conftest import CALLERS

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning:botocore"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:google"),
]

HELLO = Ask(said("Say it"))
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
BROKEN: dict[str, Any] = {
    "chat": openai.APIError,
    "responses": (openai.APIError, Broken),
    "messages": anthropic.APIError,
    "generate": google.APIError,
    "converse": botocore.exceptions.EventStreamError,
}
CODES = {400: "ValidationException", 401: "UnrecognizedClientException", 404: "ResourceNotFoundException"} | {
    429: "ThrottlingException",
    529: "ServiceUnavailableException",
}


def status_and_headers(error: Any) -> tuple[int, dict[str, str]]:
    if isinstance(error, botocore.exceptions.ClientError):
        met = error.response["ResponseMetadata"]
        return met["HTTPStatusCode"], met["HTTPHeaders"]
    status = getattr(error, "status_code", None) or error.code
    return status, {name.lower(): value for name, value in error.response.headers.items()}


def failing(house: Any, near: str, model: str, stream: bool, ask: Ask = HELLO) -> Any:
    caller = house.callers[near]
    with pytest.raises(Exception) as caught:  # noqa: PT011 - the class is looked at by the caller
        caller.ask(model, ask, caller.history(ask), stream)
    return caught.value


@pytest.mark.parametrize("status", OPENAI)
def test_a_providers_refusal(house: Any, near: str, far: str, stream: bool, status: int) -> None:
    error = failing(house, near, f"{far}/fault-{status}:retry=7", stream)
    assert type(error) is CLASSES[near][status] or isinstance(error, botocore.exceptions.ClientError)
    found, headers = status_and_headers(error)
    assert (found, headers.get("retry-after")) == (status, "7")
    if near == "converse" and status in CODES:
        assert error.response["Error"]["Code"] == CODES[status]


@pytest.mark.parametrize("fault", ["fault-cut", "fault-cut-clean", "fault-json", "fault-error-midstream"])
def test_a_stream_that_breaks_is_never_taken_for_whole(house: Any, near: str, far: str, fault: str) -> None:
    for speed in (200, 20, 2):  # so slow that its beginning is shown before it breaks, on a busy machine as well
        error = failing(house, near, f"{far}/{fault}:tps={speed}", True)
        if isinstance(error, BROKEN[near]):
            return
        assert status_and_headers(error)[0] >= 500, repr(error)
    raise error


@pytest.mark.parametrize("fault", ["fault-reset", "fault-html", "fault-error-200", "fault-json", "fault-204"])
def test_an_answer_that_is_none(house: Any, near: str, far: str, stream: bool, fault: str) -> None:
    if fault == "fault-json" and stream:
        pytest.skip("breaks after the first output, as proven above")
    error = failing(house, near, f"{far}/{fault}", stream)
    told = far == "generate" and fault == "fault-error-200"  # its error object has a status of its own
    assert status_and_headers(error)[0] == (500 if told else 502)


def test_a_model_that_nobody_has(house: Any, near: str, stream: bool) -> None:
    error = failing(house, near, "chatt/echo", stream)
    assert type(error) is CLASSES[near][404] or isinstance(error, botocore.exceptions.ClientError)
    assert status_and_headers(error)[0] == 404


def test_no_messages_at_all(house: Any, near: str, far: str) -> None:
    error = failing(house, near, f"{far}/echo", False, Ask(()))
    if isinstance(error, ValueError | botocore.exceptions.ParamValidationError):
        return  # the client itself sees to it
    assert status_and_headers(error)[0] == 400


@pytest.fixture
def stranger(house: Any, near: str) -> Any:
    caller = CALLERS[near](house.gateway.url, "ap-nobody")
    yield caller
    caller.close()


def test_an_unknown_key(stranger: Any, near: str, stream: bool) -> None:
    ask: Callable[..., Any] = stranger.ask
    with pytest.raises(CLASSES[near][401]) as caught:
        ask("chat/echo", HELLO, stranger.history(HELLO), stream)
    assert status_and_headers(caught.value)[0] == 401
