"""Calls to a server that answers with the bytes of a test, including answers that a gateway never gives."""

import asyncio
import gc
import json
import time
from decimal import Decimal
from typing import Any

import pytest

from antiphon import Antiphon, AsyncAntiphon, errors
from antiphon.client.loop_thread import IDLE_TIME
from processes import PATIENCE, allow

WHOLE = {"id": "c", "model": "m", "choices": [{"index": 0, "message": {"content": "hi"}, "finish_reason": "stop"}]}
OURS = (b"x-antiphon-call-id: call_9", b"x-antiphon-target: a/b", b"x-antiphon-attempts: 3", b"x-antiphon-cost: 0.0012")


def write_chunk(text: str, finish: str | None = None) -> bytes:
    data = {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": finish}]}
    return b"data: " + json.dumps(data).encode() + b"\n\n"


SOME = write_chunk("one ") + b": keep-alive\n\n" + write_chunk("two")
END = write_chunk("", "stop")


def test_a_call_is_one_request_with_the_key_and_reads_the_headers_of_the_answer(raw: Any) -> None:
    raw.set_json("200 OK", json.dumps(WHOLE).encode(), *OURS)
    with Antiphon(base_url=raw.url, api_key="ap-secret") as client:
        reply = client.chat("m", "x", temperature=1)
    assert (reply.text, reply.call_id, reply.target, reply.attempts) == ("hi", "call_9", "a/b", 3)
    assert reply.cost == Decimal("0.0012")
    assert len(raw.requests) == 1
    head, _, body = raw.requests[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /v1/chat/completions HTTP/1.1\r\n")
    assert b"authorization: Bearer ap-secret" in head
    assert json.loads(body) == {"model": "m", "messages": [{"role": "user", "content": "x"}], "temperature": 1}


@pytest.mark.parametrize(("path", "expected"), [("", "/v1"), ("/", "/v1"), ("/v1/", "/v1"), ("/api/x", "/api/x")])
def test_the_version_in_the_base_url_is_optional(raw: Any, path: str, expected: str) -> None:
    raw.set_json("200 OK", b'{"data":[{"id":"a"},{"id":"b"}]}')
    with Antiphon(base_url=raw.url + path) as client:
        assert [card.id for card in client.models()] == ["a", "b"]
    assert raw.requests[0].startswith(f"GET {expected}/models HTTP/1.1\r\n".encode())
    assert b"authorization" not in raw.requests[0]


def test_errors_are_typed_and_calls_are_not_retried(raw: Any) -> None:
    body = b'{"error":{"message":"slow down","type":"rate_limit_error","param":null,"code":"rate_limit_exceeded"}}'
    raw.set_json("429 Too Many Requests", body, b"retry-after: 3", b"x-antiphon-call-id: call_1")
    with Antiphon(base_url=raw.url) as client:
        for use in (lambda: client.chat("m", "x"), lambda: list(client.stream("m", "x"))):
            with pytest.raises(errors.RateLimited, match="slow down") as raised:
                use()
            assert (raised.value.retry_after, raised.value.call_id, raised.value.body) == (3.0, "call_1", body)
    assert len(raw.requests) == 2


@pytest.mark.parametrize(
    ("status", "body", "cls"),
    [
        ("200 OK", b"<html>", errors.BadAnswer),
        ("200 OK", b'{"error":{"message":"x"}}', errors.BadAnswer),
        ("307 Temporary Redirect", b"", errors.UpstreamStatus),
        ("500 Oops", b"<html>", errors.UpstreamStatus),
    ],
)
def test_an_unusable_answer_is_an_error(raw: Any, status: str, body: bytes, cls: type[errors.CallError]) -> None:
    raw.set_json(status, body, b"location: http://127.0.0.1:1/elsewhere")
    with Antiphon(base_url=raw.url) as client:
        with pytest.raises(cls):
            client.chat("m", "x")
        if not status.startswith("200"):
            with pytest.raises(cls):
                list(client.stream("m", "x"))
        if body == b"<html>":
            with pytest.raises(cls):
                client.models()


def test_a_complete_stream_is_read(raw: Any) -> None:
    usage = b'data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}\r\n\r\n'
    raw.set_stream(SOME + END + usage + b"data: [DONE]\n\n")
    with Antiphon(base_url=raw.url) as client:
        stream = client.stream("m", "x")
        assert [event.text for event in stream] == ["one ", "two", "", ""]
    assert stream.usage is not None
    assert (stream.text, stream.usage.total_tokens, stream.call_id, stream.attempts) == ("one two", 3, "call_raw", 2)
    assert json.loads(raw.requests[0].partition(b"\r\n\r\n")[2])["stream_options"] == {"include_usage": True}


BREAKS = {
    "no end": (SOME, None, errors.Truncated),
    "inside a frame": (SOME + b'data: {"choices":[{"ind', None, errors.Truncated),
    "short of its length": (SOME, 10_000, errors.Truncated),
    "error": (SOME + b'data: {"error":{"message":"m","code":"upstream_timeout"}}\n\n', None, errors.UpstreamTimeout),
    "error, then done": (SOME + b'data: {"error":{"message":"m"}}\n\ndata: [DONE]\n\n', None, errors.UpstreamError),
    "not JSON": (SOME + b"data: {oops\n\n", None, errors.BadAnswer),
    "not an object": (SOME + b"data: 5\n\n", None, errors.BadAnswer),
}


@pytest.mark.parametrize("name", list(BREAKS))
def test_a_broken_stream_yields_its_events_and_then_raises(raw: Any, name: str) -> None:
    body, length, cls = BREAKS[name]
    raw.set_stream(body, length=length)
    with Antiphon(base_url=raw.url) as client:
        stream = client.stream("m", "x")
        pieces = []
        with pytest.raises(cls) as raised:
            pieces.extend(event.text for event in stream)
        assert pieces in ([], ["one ", "two"])
        assert stream.text == "one two"
        assert next(stream, None) is None
    if issubclass(cls, errors.UpstreamError) and "error" in name:
        assert raised.value.call_id == "call_raw"


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64])
async def test_frames_may_be_split_anywhere(raw: Any, size: int) -> None:
    body = (SOME + END + b"data: [DONE]\n\n").replace(b"\n", b"\r\n")
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    raw.set_stream(b"")
    raw.answer = (
        raw.answer.replace(b"connection: close", b"transfer-encoding: chunked")
        + b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
        + b"0\r\n\r\n"
    )
    async with AsyncAntiphon(base_url=raw.url) as client:
        stream = client.stream("m", "x")
        assert [event.text async for event in stream] == ["one ", "two", ""]


async def test_silence_is_limited_by_the_timeout(raw: Any) -> None:
    raw.then_wait = True
    async with AsyncAntiphon(base_url=raw.url, timeout=0.3) as client:
        with pytest.raises(errors.UpstreamTimeout) as total:
            await client.chat("m", "x")
        with pytest.raises(errors.UpstreamTimeout):
            await anext(client.stream("m", "x"))
        raw.set_stream(SOME)
        stream = client.stream("m", "x")
        with pytest.raises(errors.UpstreamTimeout) as idle:
            async for _ in stream:
                pass
    assert (total.value.phase, idle.value.phase, stream.text) == ("total", "idle", "one two")


def test_a_missing_server_is_a_connect_failure() -> None:
    with Antiphon(base_url="http://127.0.0.1:1") as client:
        with pytest.raises(errors.ConnectFailed):
            client.chat("m", "x")
        with pytest.raises(errors.ConnectFailed):
            next(client.stream("m", "x"))


@pytest.mark.parametrize("way", ["close", "drop", "cancel"])
async def test_leaving_a_stream_closes_the_connection(raw: Any, way: str) -> None:
    raw.set_stream(SOME)
    raw.then_wait = True
    async with AsyncAntiphon(base_url=raw.url) as client:
        stream = client.stream("m", "x")
        await anext(stream)
        begun = time.monotonic()
        if way == "close":
            await stream.close()
        elif way == "cancel":
            await anext(stream)
            waiting = asyncio.ensure_future(anext(stream))
            await asyncio.sleep(0.05)
            waiting.cancel()
            await asyncio.wait([waiting])
        else:
            del stream
        assert await asyncio.to_thread(raw.left.wait, PATIENCE)
        assert time.monotonic() - begun < allow(2)


@pytest.mark.parametrize("idle", [False, True])
def test_dropping_a_synchronous_stream_closes_the_connection(raw: Any, idle: bool) -> None:
    raw.set_stream(SOME)
    raw.then_wait = True
    with Antiphon(base_url=raw.url) as client:
        stream = client.stream("m", "x")
        next(stream)
        while idle and client._loop_thread._runner != "thread":
            time.sleep(0.01)
        begun = time.monotonic()
        del stream
        gc.collect()
        assert raw.left.wait(PATIENCE)
        assert time.monotonic() - begun < allow(IDLE_TIME)


def test_the_key_appears_in_no_repr(raw: Any) -> None:
    client = Antiphon(base_url=raw.url, api_key="ap-secret")
    raw.set_json("500 Oops", b"{}")
    with pytest.raises(errors.UpstreamStatus) as raised:
        client.chat("m", "x")
    shown = repr(client) + repr(vars(client)) + repr(raised.value) + str(vars(raised.value))
    assert "ap-secret" not in shown
    client.close()


@pytest.mark.parametrize("kind", ["async", "sync"])
async def test_a_slow_reader_slows_the_sender_down(raw: Any, kind: str) -> None:
    raw.set_stream(write_chunk("x" * 1000) * 40_000)  # more than all buffers on the way hold
    if kind == "sync":
        with Antiphon(base_url=raw.url) as client, client.stream("m", "x") as stream:
            assert next(stream).text
            assert not await asyncio.to_thread(raw.sent.wait, 0.5)
    else:
        async with AsyncAntiphon(base_url=raw.url) as other, other.stream("m", "x") as events:
            assert (await anext(events)).text
            assert not await asyncio.to_thread(raw.sent.wait, 0.5)
