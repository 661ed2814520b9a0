"""Errors of a server are read back as the class that was written."""

import json

import pytest

from antiphon import errors
from antiphon.client import error_reader
from antiphon.errors import CallError

TREE = [member for member in vars(errors).values() if isinstance(member, type) and issubclass(member, CallError)]


def make_example(cls: type[CallError]) -> CallError:
    if issubclass(cls, errors.UpstreamStatus):
        return cls("it failed", status=429 if cls is errors.RateLimited else 503, body=b"{}", headers=())
    if issubclass(cls, errors.UpstreamTimeout):
        return cls("it failed", phase="idle")
    return cls("it failed")


def write_error_object(error: CallError) -> dict[str, object]:
    return {"message": error.message, "type": error.kind, "param": error.param, "code": error.code}


def write_error_body(error: CallError) -> bytes:
    return json.dumps({"error": write_error_object(error)}).encode()


@pytest.mark.parametrize("cls", TREE, ids=lambda cls: cls.__name__)
def test_each_class_is_read_back_from_an_answer(cls: type[CallError]) -> None:
    sent = make_example(cls)
    call_id = "call_7" if issubclass(cls, errors.UpstreamError) else ""  # other calls are refused before they get one
    got = error_reader.read_error_answer(
        sent.status, [(b"x-antiphon-call-id", call_id.encode())] if call_id else [], write_error_body(sent)
    )
    assert type(got) is cls
    assert (got.message, got.status, got.code) == (sent.message, sent.status, sent.code)
    assert (got.retryable, got.call_id) == (sent.retryable, call_id)


@pytest.mark.parametrize("cls", TREE, ids=lambda cls: cls.__name__)
def test_each_class_is_read_back_from_a_stream(cls: type[CallError]) -> None:
    sent = make_example(cls)
    got = error_reader.read_error_event({"error": write_error_object(sent)}, write_error_body(sent))
    assert type(got) is cls
    assert got is not None
    assert (got.message, got.code) == (sent.message, sent.code)


@pytest.mark.parametrize("cls", [errors.BadRequest, errors.Unauthorized, errors.Forbidden, errors.NotFound])
def test_an_unknown_code_keeps_the_class_of_its_status(cls: type[CallError]) -> None:
    sent = cls("no", code="something_special")
    got = error_reader.read_error_answer(sent.status, [], write_error_body(sent))
    assert (type(got), got.code) == (cls, "something_special")


def test_a_forwarded_error_of_a_provider_is_not_read_as_the_gateways() -> None:
    body = b'{"error":{"message":"wrong key","type":"authentication_error","code":"invalid_api_key"}}'
    ours = error_reader.read_error_answer(401, [], body)
    assert type(ours) is errors.Unauthorized
    theirs = error_reader.read_error_answer(401, [(b"x-antiphon-call-id", b"call_1")], body)
    assert type(theirs) is errors.UpstreamStatus
    assert (theirs.status, theirs.body, theirs.code) == (401, body, "upstream_status")


@pytest.mark.parametrize(
    ("status", "body", "cls", "words"),
    [
        (500, b"<html>oops</html>", errors.UpstreamStatus, "oops"),
        (502, b"", errors.UpstreamStatus, "502"),
        (429, b'{"error":"slow down"}', errors.RateLimited, "slow down"),
        (429, b'{"error":{"message":"m","code":"insufficient_quota"}}', errors.RateLimited, "m"),
        (418, b'{"detail":"teapot"}', errors.UpstreamStatus, "teapot"),
        (400, b'{"error":{"message":5,"type":[],"code":{}}}', errors.UpstreamStatus, "5"),
        (404, b"[" * 10**5, errors.UpstreamStatus, "404"),
    ],
)
def test_errors_of_other_servers_are_read_by_status(status: int, body: bytes, cls: type[CallError], words: str) -> None:
    got = error_reader.read_error_answer(status, [(b"retry-after", b"7")], body)
    assert type(got) is cls
    assert words in str(got)
    assert (got.status, got.retry_after) == (status, 7.0)


def test_a_date_in_retry_after_is_unknown() -> None:
    got = error_reader.read_error_answer(429, [(b"retry-after", b"Wed, 21 Oct 2026 07:28:00 GMT")], b"{}")
    assert got.retry_after is None


def test_an_event_with_choices_is_not_an_error() -> None:
    assert error_reader.read_error_event({"choices": [{"index": 0}], "error": None}, b"") is None
    assert error_reader.read_error_event({"choices": [{"index": 0}], "error": {"message": "x"}}, b"") is None
    assert isinstance(error_reader.read_error_event({"error": "boom"}, b""), errors.UpstreamError)
