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

Hear = Callable[..., Awaitable[Any]]


def decoded(body: bytes) -> tuple[bytes, bool]:
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


def events(content: bytes) -> list[bytes]:
    return [event.removeprefix(b"data: ") for event in content.split(b"\n\n") if event.startswith(b"data: ")]


def said(content: bytes) -> list[str]:
    chunks = [json.loads(event) for event in events(content) if event != b"[DONE]"]
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks if chunk.get("choices")]
    return [delta["content"] for delta in deltas if delta.get("content")]


async def test_sound_stream_ends_in_order(hear: Hear) -> None:
    heard = await hear("echo", stream=True, keep=True)
    content, proper = decoded(heard.body)
    assert proper
    assert heard.ended == "silent"  # kept alive
    assert b"content-type: text/event-stream" in heard.head
    assert said(content) == ["Hell", "o th", "ere"]
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
async def test_status(hear: Hear, model: str, expected: bytes | None, stream: bool) -> None:
    heard = await hear(model, stream=stream)
    assert heard.status == int(model[6:9])
    assert set(json.loads(heard.body)["error"]) == {"message", "type", "param", "code"}
    headers = dict(line.split(b": ", 1) for line in heard.head.split(b"\r\n")[1:])
    assert headers.get(b"retry-after") == expected


@pytest.mark.parametrize(("word", "low", "high"), [("date", 3, 6), ("past", -3700, -3500), ("far", 3e8, 4e8)])
async def test_retry_after_as_a_date(hear: Hear, word: str, low: float, high: float) -> None:
    heard = await hear(f"fault-429:retry={word}")
    line = next(line for line in heard.head.decode().split("\r\n") if line.startswith("retry-after"))
    assert low <= parsedate_to_datetime(line.partition(": ")[2]).timestamp() - time.time() <= high


@pytest.mark.parametrize("stream", [False, True])
async def test_reset_before_the_head(hear: Hear, stream: bool) -> None:
    heard = await hear("fault-reset", stream=stream)
    assert (heard.data, heard.ended) == (b"", "reset")


@pytest.mark.parametrize("stream", [False, True])
async def test_silence(hear: Hear, stream: bool) -> None:
    heard = await hear("fault-silence", silent=True, stream=stream)
    assert (heard.data, heard.ended) == (b"", "silent")


async def test_stall(hear: Hear) -> None:
    heard = await hear("fault-stall:after=2", silent=True, stream=True)
    content, proper = decoded(heard.body)
    assert (len(said(content)), proper, heard.ended) == (2, False, "silent")
    whole = await hear("fault-stall", silent=True)
    assert whole.ended == "silent"
    assert 0 < len(whole.body) < length_of(whole)


@pytest.mark.parametrize(("model", "ended"), [("fault-cut:after=2", "closed"), ("fault-cut:after=2:reset=1", "reset")])
async def test_cut(hear: Hear, model: str, ended: str) -> None:
    heard = await hear(model, stream=True)
    content, proper = decoded(heard.body)
    assert (proper, heard.ended) == (False, ended)
    assert not content.endswith(b"\n\n")  # inside an event
    whole = await hear(model)
    assert whole.ended == ended
    assert 0 < len(whole.body) < length_of(whole)


async def test_cut_clean(hear: Hear) -> None:
    heard = await hear("fault-cut-clean:after=2", stream=True)
    content, proper = decoded(heard.body)
    assert (len(said(content)), proper) == (2, True)
    assert b"[DONE]" not in content
    assert b'"finish_reason":"' not in content
    whole = json.loads((await hear("fault-cut-clean:after=2")).body)
    assert whole["choices"][0]["finish_reason"] is None
    assert whole["choices"][0]["message"]["content"] == "Lorem ip"


@pytest.mark.parametrize("size", [0, 1, 50, 200, 600])
@pytest.mark.parametrize("stream", [False, True])
async def test_cut_at_an_exact_byte(hear: Hear, size: int, stream: bool) -> None:
    heard = await hear(f"fault-cut-at:bytes={size}", stream=stream, keep=True)
    assert (len(heard.data), heard.ended) == (size, "closed")


async def test_cut_at_beyond_the_end_is_a_whole_answer(hear: Hear) -> None:
    heard = await hear("fault-cut-at:bytes=999999", stream=True, keep=True)
    assert heard.ended == "silent"
    assert decoded(heard.body)[0].endswith(b"data: [DONE]\n\n")


async def test_half_close(sim: SimServer, hear: Hear) -> None:
    heard = await hear("fault-half-close:after=1", stream=True)
    content, proper = decoded(heard.body)
    assert (len(said(content)), proper, heard.ended) == (1, False, "closed")
    assert not sim.log.entries()[0].completed


async def test_no_done(hear: Hear) -> None:
    content, proper = decoded((await hear("fault-no-done", stream=True)).body)
    assert proper
    assert content.endswith(b'"finish_reason":"stop"}]}\n\n')


def length_of(heard: Any) -> int:
    line = next(line for line in heard.head.split(b"\r\n") if line.startswith(b"content-length: "))
    return int(line.partition(b": ")[2])


@pytest.mark.parametrize("by", [-7, 7])
@pytest.mark.parametrize("stream", [False, True])
async def test_wrong_length(hear: Hear, by: int, stream: bool) -> None:
    heard = await hear(f"fault-length:by={by}", stream=stream, keep=True)
    assert length_of(heard) == len(heard.body) + by
    assert heard.ended == ("closed" if by > 0 else "silent")


async def test_invalid_json(hear: Hear) -> None:
    content, proper = decoded((await hear("fault-json:after=1", stream=True)).body)
    assert proper
    *sound, broken = events(content)
    assert len([json.loads(event) for event in sound]) == 2
    with pytest.raises(json.JSONDecodeError):
        json.loads(broken)
    with pytest.raises(json.JSONDecodeError):
        json.loads((await hear("fault-json")).body)


async def test_html(hear: Hear) -> None:
    heard = await hear("fault-html", stream=True)
    assert heard.status == 200
    assert b"content-type: text/html" in heard.head
    assert heard.body.startswith(b"<!DOCTYPE html>")


@pytest.mark.parametrize("stream", [False, True])
async def test_error_with_status_200(hear: Hear, stream: bool) -> None:
    heard = await hear("fault-error-200", stream=stream)
    assert heard.status == 200
    assert json.loads(heard.body)["error"]["type"] == "server_error"


async def test_error_midstream(hear: Hear) -> None:
    content, proper = decoded((await hear("fault-error-midstream:after=2", stream=True)).body)
    assert proper
    assert "error" in json.loads(events(content)[-1])
    assert len(events(content)) == 4


async def test_preamble_then_error(hear: Hear) -> None:
    content, proper = decoded((await hear("fault-preamble-error", stream=True)).body)
    assert proper
    assert said(content) == []
    assert b"\n\n: still here\n\n" in content
    assert "error" in json.loads(events(content)[-1])


@pytest.mark.parametrize(("stream", "sign"), [(False, b" "), (True, b": still here\n\n")])
async def test_trickle(sim: SimServer, hear: Hear, stream: bool, sign: bytes) -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(hear("fault-trickle:gap=0.01", stream=stream), 0.4)  # never silent, never at an end
    await asyncio.sleep(0.05)
    (entry,) = sim.log.entries()
    assert (entry.status, entry.tokens, entry.ended) == (200, 0, "left")
    assert entry.bytes > 150 + 10 * len(sign)
    assert (await hear("fault-trickle:gap=3600", silent=True, stream=stream)).ended == "silent"


async def test_usage_faults(hear: Hear) -> None:
    asked = {"stream_options": {"include_usage": True}}
    content, _ = decoded((await hear("fault-no-usage", stream=True, **asked)).body)
    assert b'"usage"' not in content
    assert "usage" not in json.loads((await hear("fault-no-usage")).body)
    for kind, text in (
        ("negative", b'"prompt_tokens":-5'),
        ("huge", b'"prompt_tokens":9e99'),
        ("nan", b'"prompt_tokens":NaN'),
        ("text", b'"prompt_tokens":"many"'),
        ("null", b'"usage":null'),
    ):
        content, proper = decoded((await hear(f"fault-bad-usage:kind={kind}", stream=True, **asked)).body)
        assert proper
        assert text in events(content)[-2]
        assert text in (await hear(f"fault-bad-usage:kind={kind}")).body


async def test_no_content_and_redirect(hear: Hear) -> None:
    heard = await hear("fault-204")
    assert (heard.status, heard.body) == (204, b"")
    assert b"content-length" not in heard.head
    heard = await hear("fault-redirect")
    assert heard.status == 307
    assert b"\r\nlocation: http://redirected.invalid/" in heard.head


@pytest.mark.parametrize(("eol", "ending"), [("crlf", b"\r\n"), ("cr", b"\r"), ("lf", b"\n")])
async def test_line_endings_mark_and_comments(hear: Hear, eol: str, ending: bytes) -> None:
    heard = await hear(f"echo:eol={eol}:bom=1:comments=1", stream=True)
    content, proper = decoded(heard.body)
    assert proper
    assert content.startswith(b"\xef\xbb\xbf: simulated" + ending * 2 + b"data: ")
    assert content.count(b"\xef\xbb\xbf") == 1
    assert content.endswith(b"data: [DONE]" + ending * 2)
    assert not {b"\r", b"\n"} & {bytes([byte]) for byte in content.replace(ending, b"")}
    plain, _ = decoded((await hear("echo", stream=True)).body)
    assert said(content.replace(ending, b"\n")) == said(plain)


async def test_split_makes_each_byte_a_write(hear: Hear, sim: SimServer) -> None:
    plain = await hear("lorem-3", stream=True)
    split = await hear("lorem-3:split=1", stream=True)
    assert said(decoded(split.body)[0]) == said(decoded(plain.body)[0])
    host, port = sim.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    body = b'{"model":"lorem-3:split=1","messages":[{"role":"user","content":"x"}]}'
    writer.write(b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body))
    sizes = []
    while len(sizes) < 100:
        sizes.append(len(await asyncio.wait_for(reader.read(65536), 5)))
    assert max(sizes) < 20
    writer.transport.abort()


async def test_speed_and_first_token(hear: Hear) -> None:
    start = time.monotonic()
    heard = await hear("lorem:tokens=4:tps=20:first=0.1:head=0.1", stream=True)
    took = time.monotonic() - start
    assert took >= 0.1 + 0.1 + 3 / 20
    assert len(said(decoded(heard.body)[0])) == 4


async def test_probability(hear: Hear) -> None:
    statuses = {(await hear("fault-500:p=0.5")).status for _ in range(20)}
    assert statuses == {200, 500}
    assert (await hear("fault-500:p=0")).status == 200


async def exchange(sim: SimServer, data: bytes, patience: float = 10) -> bytes:
    host, port = sim.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(data)
    heard = b""
    try:
        while more := await asyncio.wait_for(reader.read(65536), patience):
            heard += more
    except TimeoutError:
        pass
    writer.transport.abort()
    return heard


def post(body: bytes, path: bytes = b"/v1/chat/completions", more: bytes = b"", version: bytes = b"1.1") -> bytes:
    head = b"POST %s HTTP/%s\r\nhost: x\r\n%scontent-length: %d\r\n\r\n" % (path, version, more, len(body))
    return head + body


ECHO = b'{"model":"echo","messages":[{"role":"user","content":"%s"}]}'


async def test_pipelined_requests_are_answered_in_order(sim: SimServer) -> None:
    requests = [post(ECHO % b"number-%03d." % number) for number in range(60)]
    heard = await exchange(sim, b"".join(requests) + post(ECHO % b"last", more=b"connection: close\r\n"))
    places = [heard.index(b"number-%03d." % number) for number in range(60)]
    assert places == sorted(places)
    assert heard.count(b"HTTP/1.1 200 OK") == 61


async def test_http_1_0_and_connection_close(sim: SimServer) -> None:
    stream = ECHO[:-1] % b"Hello" + b',"stream":true}'
    heard = await exchange(sim, post(stream, version=b"1.0"))
    head, _, body = heard.partition(b"\r\n\r\n")
    assert b"transfer-encoding" not in head
    assert b"connection: close" in head
    assert body.endswith(b"data: [DONE]\n\n")
    heard = await exchange(sim, post(stream, more=b"connection: close\r\n"))
    assert decoded(heard.partition(b"\r\n\r\n")[2])[1]


async def test_expectation_is_met(sim: SimServer) -> None:
    heard = await exchange(sim, post(ECHO % b"Hello", more=b"expect: 100-continue\r\nconnection: close\r\n"))
    assert heard.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")


async def test_bytes_that_are_not_http(sim: SimServer) -> None:
    for data in (b"\x16\x03\x01\x02\x00", b"GET\r\n\r\n", b"POST / HTTP/1.1\r\ncontent-length: x\r\n\r\n"):
        assert (await exchange(sim, data)).startswith(b"HTTP/1.1 400 ")


async def test_a_failure_of_its_own_is_answered(sim: SimServer, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("a fault of the simulator")

    monkeypatch.setattr("antiphon.sim.brain.Brain.perform", fail)
    heard = await exchange(sim, post(ECHO % b"Hello"))
    assert heard.startswith(b"HTTP/1.1 500 ")


async def test_wrong_paths_and_methods(sim: SimServer) -> None:
    for head, status in (
        (b"GET /v1/chat/completions", 405),
        (b"POST /v1/models", 405),
        (b"GET /v1/elsewhere", 404),
        (b"GET /sim/elsewhere", 404),
    ):
        heard = await exchange(sim, head + b" HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        assert heard.startswith(b"HTTP/1.1 %d " % status)
        assert "message" in json.loads(heard.partition(b"\r\n\r\n")[2])["error"]


async def control(sim: SimServer, request: bytes) -> Any:
    heard = await exchange(sim, request + b" HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
    return json.loads(heard.partition(b"\r\n\r\n")[2])


async def test_controls(sim: SimServer, hear: Hear) -> None:
    await hear("lorem-6", stream=True)
    (entry,) = await control(sim, b"GET /sim/served")
    assert (entry["model"], entry["status"], entry["tokens"], entry["ended"]) == ("lorem-6", 200, 6, "complete")
    assert await control(sim, b"GET /sim/connections") == []
    host, port = sim.url.removeprefix("http://").split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    writer.write(post(b'{"model":"fault-silence","messages":[{"role":"user","content":"x"}]}'))
    await asyncio.sleep(0.05)
    (connection,) = await control(sim, b"GET /sim/connections")
    assert connection["requests"] == 1
    assert connection["serving"].startswith("served_")
    writer.close()
    await writer.wait_closed()
    await asyncio.sleep(0.05)
    assert await control(sim, b"GET /sim/connections") == []
    left = (await control(sim, b"GET /sim/served"))[-1]
    assert (left["ended"], left["completed"]) == ("left", False)
    assert 0 < left["closed_after"] < 60
    await control(sim, b"DELETE /sim/served")
    assert await control(sim, b"GET /sim/served") == []


async def test_client_that_leaves_midstream(sim: SimServer) -> None:
    host, port = sim.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(post(b'{"model":"lorem:tokens=1000:tps=20","stream":true,"messages":[{"role":"user","content":"x"}]}'))
    while b"content" not in await reader.read(65536):
        pass
    writer.close()
    await writer.wait_closed()
    await asyncio.sleep(0.05)
    (entry,) = sim.log.entries()
    assert entry.ended == "left"
    assert entry.tokens < 1000
    assert entry.closed_after is not None


async def test_slow_reader_stops_the_writing(sim: SimServer) -> None:
    host, port = sim.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.sendall(post(b'{"model":"lorem:tokens=100000","stream":true,"messages":[{"role":"user","content":"x"}]}'))
        written = -1
        while not sim.log.entries() or sim.log.entries()[0].bytes != written:
            written = sim.log.entries()[0].bytes if sim.log.entries() else -1
            await asyncio.sleep(0.2)
        assert written < 15_000_000  # of some 20 MB
        assert not sim.log.entries()[0].ended


async def test_large_body_is_refused(sim: SimServer) -> None:
    host, port = sim.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 999999999\r\n\r\n")
    piece = bytes(2**20)
    heard = b""
    try:
        for _ in range(80):
            writer.write(piece)
            await writer.drain()
        heard = await reader.read(65536)
    except ConnectionError:
        heard = heard or b"reset"
    assert heard.startswith((b"HTTP/1.1 413 ", b"reset"))
    writer.transport.abort()  # what was not taken will not be
