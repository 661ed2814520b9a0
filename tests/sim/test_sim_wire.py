"""Each fault as it looks on a socket."""

import asyncio
import json
import socket
import time
from collections.abc import Awaitable, Callable
from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from antiphon.sim.server import SimServer
from processes import wait_until
from sim.conftest import RawResponse

FetchRaw = Callable[..., Awaitable[RawResponse]]


def decode_chunks(body: bytes) -> tuple[bytes, bool]:
    """Return the content of a chunked body, and whether it had its proper end."""
    content = b""
    while body:
        size, found, rest = body.partition(b"\r\n")
        if not found:
            return content, False
        length = int(size, 16)
        if length == 0:
            return content, rest == b"\r\n"
        content += rest[:length]
        if rest[length : length + 2] != b"\r\n":
            return content, False
        body = rest[length + 2 :]
    return content, False


def list_events(content: bytes) -> list[bytes]:
    return [event.removeprefix(b"data: ") for event in content.split(b"\n\n") if event.startswith(b"data: ")]


def list_texts(content: bytes) -> list[str]:
    chunks = [json.loads(event) for event in list_events(content) if event != b"[DONE]"]
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks if chunk.get("choices")]
    return [delta["content"] for delta in deltas if delta.get("content")]


async def test_stream_without_fault_ends_properly(fetch_raw: FetchRaw) -> None:
    response = await fetch_raw("echo", stream=True, keep=True)
    content, proper = decode_chunks(response.body)
    assert proper
    assert response.ended == "silent"  # kept alive
    assert b"content-type: text/event-stream" in response.head
    assert list_texts(content) == ["Hell", "o th", "ere"]
    assert content.endswith(b'"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n')


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("fault-429", b"1"),
        ("fault-429:after=5", b"5"),
        ("fault-429:retry=0", b"0"),
        ("fault-503:retry=7", b"7"),
        ("fault-429:retry=none", None),
        ("fault-500", None),
        ("fault-429:retry=garbage", b"soon;=\t-1e999"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_status(fetch_raw: FetchRaw, model: str, expected: bytes | None, stream: bool) -> None:
    response = await fetch_raw(model, stream=stream)
    assert response.status == int(model[6:9])
    assert set(json.loads(response.body)["error"]) == {"message", "type", "param", "code"}
    headers = dict(line.split(b": ", 1) for line in response.head.split(b"\r\n")[1:])
    assert headers.get(b"retry-after") == expected


@pytest.mark.parametrize(("word", "low", "high"), [("date", 3, 6), ("past", -3700, -3500), ("far", 3e8, 4e8)])
async def test_retry_after_as_a_date(fetch_raw: FetchRaw, word: str, low: float, high: float) -> None:
    response = await fetch_raw(f"fault-429:retry={word}")
    line = next(line for line in response.head.decode().split("\r\n") if line.startswith("retry-after"))
    assert low <= parsedate_to_datetime(line.partition(": ")[2]).timestamp() - time.time() <= high


@pytest.mark.parametrize("stream", [False, True])
async def test_reset_before_the_head(fetch_raw: FetchRaw, stream: bool) -> None:
    response = await fetch_raw("fault-reset", stream=stream)
    assert (response.data, response.ended) == (b"", "reset")


@pytest.mark.parametrize("stream", [False, True])
async def test_silence(fetch_raw: FetchRaw, stream: bool) -> None:
    response = await fetch_raw("fault-silence", silent=True, stream=stream)
    assert (response.data, response.ended) == (b"", "silent")


async def test_stall(fetch_raw: FetchRaw) -> None:
    response = await fetch_raw("fault-stall:after=2", silent=True, stream=True)
    content, proper = decode_chunks(response.body)
    assert (len(list_texts(content)), proper, response.ended) == (2, False, "silent")
    whole = await fetch_raw("fault-stall", silent=True)
    assert whole.ended == "silent"
    assert 0 < len(whole.body) < get_stated_length(whole)


@pytest.mark.parametrize(("model", "ended"), [("fault-cut:after=2", "closed"), ("fault-cut:after=2:reset=1", "reset")])
async def test_cut(fetch_raw: FetchRaw, model: str, ended: str) -> None:
    response = await fetch_raw(model, stream=True)
    content, proper = decode_chunks(response.body)
    assert (proper, response.ended) == (False, ended)
    assert not content.endswith(b"\n\n")  # inside an event
    whole = await fetch_raw(model)
    assert whole.ended == ended
    assert 0 < len(whole.body) < get_stated_length(whole)


async def test_cut_clean(fetch_raw: FetchRaw) -> None:
    response = await fetch_raw("fault-cut-clean:after=2", stream=True)
    content, proper = decode_chunks(response.body)
    assert (len(list_texts(content)), proper) == (2, True)
    assert b"[DONE]" not in content
    assert b'"finish_reason":"' not in content
    whole = json.loads((await fetch_raw("fault-cut-clean:after=2")).body)
    assert whole["choices"][0]["finish_reason"] is None
    assert whole["choices"][0]["message"]["content"] == "Lorem ip"


@pytest.mark.parametrize("size", [0, 1, 50, 200, 600])
@pytest.mark.parametrize("stream", [False, True])
async def test_cut_at_an_exact_byte(fetch_raw: FetchRaw, size: int, stream: bool) -> None:
    response = await fetch_raw(f"fault-cut-at:bytes={size}", stream=stream, keep=True)
    assert (len(response.data), response.ended) == (size, "closed")


async def test_cut_at_beyond_the_end_is_a_whole_answer(fetch_raw: FetchRaw) -> None:
    response = await fetch_raw("fault-cut-at:bytes=999999", stream=True, keep=True)
    assert response.ended == "silent"
    assert decode_chunks(response.body)[0].endswith(b"data: [DONE]\n\n")


async def test_half_close(sim: SimServer, fetch_raw: FetchRaw) -> None:
    response = await fetch_raw("fault-half-close:after=1", stream=True)
    content, proper = decode_chunks(response.body)
    assert (len(list_texts(content)), proper, response.ended) == (1, False, "closed")
    assert not sim.log.list_entries()[0].completed


async def test_no_done(fetch_raw: FetchRaw) -> None:
    content, proper = decode_chunks((await fetch_raw("fault-no-done", stream=True)).body)
    assert proper
    assert content.endswith(b'"finish_reason":"stop"}]}\n\n')


def get_stated_length(response: Any) -> int:
    line = next(line for line in response.head.split(b"\r\n") if line.startswith(b"content-length: "))
    return int(line.partition(b": ")[2])


@pytest.mark.parametrize("by", [-7, 7])
@pytest.mark.parametrize("stream", [False, True])
async def test_wrong_length(fetch_raw: FetchRaw, by: int, stream: bool) -> None:
    response = await fetch_raw(f"fault-length:by={by}", stream=stream, keep=True)
    assert get_stated_length(response) == len(response.body) + by
    assert response.ended == ("closed" if by > 0 else "silent")


async def test_invalid_json(fetch_raw: FetchRaw) -> None:
    content, proper = decode_chunks((await fetch_raw("fault-json:after=1", stream=True)).body)
    assert proper
    *valid, broken = list_events(content)
    assert len([json.loads(event) for event in valid]) == 2
    with pytest.raises(json.JSONDecodeError):
        json.loads(broken)
    with pytest.raises(json.JSONDecodeError):
        json.loads((await fetch_raw("fault-json")).body)


async def test_html(fetch_raw: FetchRaw) -> None:
    response = await fetch_raw("fault-html", stream=True)
    assert response.status == 200
    assert b"content-type: text/html" in response.head
    assert response.body.startswith(b"<!DOCTYPE html>")


@pytest.mark.parametrize("stream", [False, True])
async def test_error_with_status_200(fetch_raw: FetchRaw, stream: bool) -> None:
    response = await fetch_raw("fault-error-200", stream=stream)
    assert response.status == 200
    assert json.loads(response.body)["error"]["type"] == "server_error"


async def test_error_midstream(fetch_raw: FetchRaw) -> None:
    content, proper = decode_chunks((await fetch_raw("fault-error-midstream:after=2", stream=True)).body)
    assert proper
    assert "error" in json.loads(list_events(content)[-1])
    assert len(list_events(content)) == 4


async def test_preamble_then_error(fetch_raw: FetchRaw) -> None:
    content, proper = decode_chunks((await fetch_raw("fault-preamble-error", stream=True)).body)
    assert proper
    assert list_texts(content) == []
    assert b"\n\n: still here\n\n" in content
    assert "error" in json.loads(list_events(content)[-1])


@pytest.mark.parametrize(("stream", "sign"), [(False, b" "), (True, b": still here\n\n")])
async def test_trickle(sim: SimServer, fetch_raw: FetchRaw, stream: bool, sign: bytes) -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(fetch_raw("fault-trickle:gap=0.01", stream=stream), 0.4)  # neither silent nor at an end
    (entry,) = sim.log.list_entries()
    await wait_until(lambda: entry.ended, 30)
    assert (entry.status, entry.tokens, entry.ended) == (200, 0, "left")
    assert entry.bytes > 150 + 10 * len(sign)
    assert (await fetch_raw("fault-trickle:gap=3600", silent=True, stream=stream)).ended == "silent"


async def test_usage_faults(fetch_raw: FetchRaw) -> None:
    fields = {"stream_options": {"include_usage": True}}
    content, _ = decode_chunks((await fetch_raw("fault-no-usage", stream=True, **fields)).body)
    assert b'"usage"' not in content
    assert "usage" not in json.loads((await fetch_raw("fault-no-usage")).body)
    for kind, text in (
        ("negative", b'"prompt_tokens":-5'),
        ("huge", b'"prompt_tokens":9e99'),
        ("nan", b'"prompt_tokens":NaN'),
        ("text", b'"prompt_tokens":"many"'),
        ("null", b'"usage":null'),
    ):
        content, proper = decode_chunks((await fetch_raw(f"fault-bad-usage:kind={kind}", stream=True, **fields)).body)
        assert proper
        assert text in list_events(content)[-2]
        assert text in (await fetch_raw(f"fault-bad-usage:kind={kind}")).body


async def test_no_content_and_redirect(fetch_raw: FetchRaw) -> None:
    response = await fetch_raw("fault-204")
    assert (response.status, response.body) == (204, b"")
    assert b"content-length" not in response.head
    response = await fetch_raw("fault-redirect")
    assert response.status == 307
    assert b"\r\nlocation: http://redirected.invalid/" in response.head


@pytest.mark.parametrize(("eol", "ending"), [("crlf", b"\r\n"), ("cr", b"\r"), ("lf", b"\n")])
async def test_line_endings_byte_order_mark_and_comments(fetch_raw: FetchRaw, eol: str, ending: bytes) -> None:
    response = await fetch_raw(f"echo:eol={eol}:bom=1:comments=1", stream=True)
    content, proper = decode_chunks(response.body)
    assert proper
    assert content.startswith(b"\xef\xbb\xbf: simulated" + ending * 2 + b"data: ")
    assert content.count(b"\xef\xbb\xbf") == 1
    assert content.endswith(b"data: [DONE]" + ending * 2)
    assert not {b"\r", b"\n"} & {bytes([byte]) for byte in content.replace(ending, b"")}
    plain, _ = decode_chunks((await fetch_raw("echo", stream=True)).body)
    assert list_texts(content.replace(ending, b"\n")) == list_texts(plain)


async def test_split_makes_each_byte_a_write(fetch_raw: FetchRaw, sim: SimServer) -> None:
    plain = await fetch_raw("lorem-3", stream=True)
    split = await fetch_raw("lorem-3:split=1", stream=True)
    assert list_texts(decode_chunks(split.body)[0]) == list_texts(decode_chunks(plain.body)[0])
    host, port = sim.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    body = b'{"model":"lorem-3:split=1","messages":[{"role":"user","content":"x"}]}'
    writer.write(b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body))
    sizes = []
    while len(sizes) < 100:
        sizes.append(len(await asyncio.wait_for(reader.read(65536), 5)))
    assert max(sizes) < 20
    writer.transport.abort()


async def test_speed_and_first_token(fetch_raw: FetchRaw) -> None:
    start = time.monotonic()
    response = await fetch_raw("lorem:tokens=4:tps=20:first=0.1:head=0.1", stream=True)
    took = time.monotonic() - start
    assert took >= 0.1 + 0.1 + 3 / 20
    assert len(list_texts(decode_chunks(response.body)[0])) == 4


async def test_probability(fetch_raw: FetchRaw) -> None:
    statuses = {(await fetch_raw("fault-500:p=0.5")).status for _ in range(20)}
    assert statuses == {200, 500}
    assert (await fetch_raw("fault-500:p=0")).status == 200


async def send_bytes(sim: SimServer, data: bytes, patience: float = 10) -> bytes:
    host, port = sim.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(data)
    response = b""
    try:
        while more := await asyncio.wait_for(reader.read(65536), patience):
            response += more
    except TimeoutError:
        pass
    writer.transport.abort()
    return response


def write_post(body: bytes, path: bytes = b"/v1/chat/completions", more: bytes = b"", version: bytes = b"1.1") -> bytes:
    head = b"POST %s HTTP/%s\r\nhost: x\r\n%scontent-length: %d\r\n\r\n" % (path, version, more, len(body))
    return head + body


ECHO = b'{"model":"echo","messages":[{"role":"user","content":"%s"}]}'


async def test_pipelined_requests_are_answered_in_order(sim: SimServer) -> None:
    requests = [write_post(ECHO % b"number-%03d." % number) for number in range(60)]
    response = await send_bytes(sim, b"".join(requests) + write_post(ECHO % b"last", more=b"connection: close\r\n"))
    places = [response.index(b"number-%03d." % number) for number in range(60)]
    assert places == sorted(places)
    assert response.count(b"HTTP/1.1 200 OK") == 61


async def test_http_1_0_and_connection_close(sim: SimServer) -> None:
    stream = ECHO[:-1] % b"Hello" + b',"stream":true}'
    response = await send_bytes(sim, write_post(stream, version=b"1.0"))
    head, _, body = response.partition(b"\r\n\r\n")
    assert b"transfer-encoding" not in head
    assert b"connection: close" in head
    assert body.endswith(b"data: [DONE]\n\n")
    response = await send_bytes(sim, write_post(stream, more=b"connection: close\r\n"))
    assert decode_chunks(response.partition(b"\r\n\r\n")[2])[1]


async def test_expect_100_continue(sim: SimServer) -> None:
    response = await send_bytes(sim, write_post(ECHO % b"Hello", more=b"expect: 100-continue\r\nconnection: close\r\n"))
    assert response.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")


async def test_bytes_that_are_not_http(sim: SimServer) -> None:
    for data in (b"\x16\x03\x01\x02\x00", b"GET\r\n\r\n", b"POST / HTTP/1.1\r\ncontent-length: x\r\n\r\n"):
        assert (await send_bytes(sim, data)).startswith(b"HTTP/1.1 400 ")


async def test_an_internal_failure_is_answered(sim: SimServer, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("a fault of the simulator")

    monkeypatch.setattr("antiphon.sim.simulator.Simulator.plan_response", fail)
    response = await send_bytes(sim, write_post(ECHO % b"Hello"))
    assert response.startswith(b"HTTP/1.1 500 ")


async def test_wrong_paths_and_methods(sim: SimServer) -> None:
    for head, status in (
        (b"GET /v1/chat/completions", 405),
        (b"POST /v1/models", 405),
        (b"GET /v1/elsewhere", 404),
        (b"GET /sim/elsewhere", 404),
    ):
        response = await send_bytes(sim, head + b" HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        assert response.startswith(b"HTTP/1.1 %d " % status)
        assert "message" in json.loads(response.partition(b"\r\n\r\n")[2])["error"]


async def send_control(sim: SimServer, request: bytes) -> Any:
    response = await send_bytes(sim, request + b" HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
    return json.loads(response.partition(b"\r\n\r\n")[2])


async def test_control_paths(sim: SimServer, fetch_raw: FetchRaw) -> None:
    await fetch_raw("lorem-6", stream=True)
    (entry,) = await send_control(sim, b"GET /sim/served")
    assert (entry["model"], entry["status"], entry["tokens"], entry["ended"]) == ("lorem-6", 200, 6, "complete")
    assert await send_control(sim, b"GET /sim/connections") == []
    host, port = sim.url.removeprefix("http://").split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    writer.write(write_post(b'{"model":"fault-silence","messages":[{"role":"user","content":"x"}]}'))
    await wait_until(lambda: len(sim.log.list_entries()) == 2, 30)
    (connection,) = await send_control(sim, b"GET /sim/connections")
    assert connection["requests"] == 1
    assert connection["serving"].startswith("served_")
    writer.close()
    await writer.wait_closed()
    await wait_until(lambda: sim.log.list_entries()[-1].ended, 30)
    assert await send_control(sim, b"GET /sim/connections") == []
    left = (await send_control(sim, b"GET /sim/served"))[-1]
    assert (left["ended"], left["completed"]) == ("left", False)
    assert 0 < left["closed_after"] < 60
    await send_control(sim, b"DELETE /sim/served")
    assert await send_control(sim, b"GET /sim/served") == []


async def test_client_that_closes_midstream(sim: SimServer) -> None:
    host, port = sim.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(
        write_post(b'{"model":"lorem:tokens=1000:tps=20","stream":true,"messages":[{"role":"user","content":"x"}]}')
    )
    while b"content" not in await reader.read(65536):
        pass
    writer.close()
    await writer.wait_closed()
    (entry,) = sim.log.list_entries()
    await wait_until(lambda: entry.ended, 30)
    assert entry.ended == "left"
    assert entry.tokens < 1000
    assert entry.closed_after is not None


async def test_slow_reader_stops_the_writing(sim: SimServer) -> None:
    host, port = sim.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.sendall(
            write_post(b'{"model":"lorem:tokens=100000","stream":true,"messages":[{"role":"user","content":"x"}]}')
        )
        written = -1
        while not sim.log.list_entries() or sim.log.list_entries()[0].bytes != written:
            written = sim.log.list_entries()[0].bytes if sim.log.list_entries() else -1
            await asyncio.sleep(0.2)
        assert written < 15_000_000  # of about 20 MB
        assert not sim.log.list_entries()[0].ended


async def test_large_body_is_rejected(sim: SimServer) -> None:
    host, port = sim.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 999999999\r\n\r\n")
    piece = bytes(2**20)
    response = b""
    try:
        for _ in range(80):
            writer.write(piece)
            await writer.drain()
        response = await reader.read(65536)
    except ConnectionError:
        response = response or b"reset"
    assert response.startswith((b"HTTP/1.1 413 ", b"reset"))
    writer.transport.abort()  # the rest of the body will not be read
