"""The transport inside the process: the contract of transports, and the same answers as on a socket."""

import asyncio
import json
import re
import time
from typing import Any

import pytest

from antiphon.errors import BadAnswer, Disconnected, Truncated
from antiphon.sim.script_file import parse_script
from antiphon.sim.server import SimServer
from antiphon.sim.transport import SimResponse, SimTransport
from antiphon.transport.interface import Request
from antiphon.types import Origin

ORIGIN = Origin("sim", "sim", 0)
CAP = 2**26


def make_request(model: str, path: str = "/v1/chat/completions", **fields: Any) -> Request:
    body = {"model": model, "messages": [{"role": "user", "content": "Hello there"}], **fields}
    return Request(ORIGIN, f"POST {path} HTTP/1.1\r\nhost: sim\r\n".encode(), json.dumps(body).encode())


async def send(model: str, transport: SimTransport | None = None, **fields: Any) -> SimResponse:
    return await (transport or SimTransport()).send(make_request(model, **fields), 5)


async def test_complete_answer() -> None:
    response = await send("echo")
    assert response.status == 200
    assert (b"content-type", b"application/json") in response.headers
    assert json.loads(await response.read(CAP))["choices"][0]["message"]["content"] == "Hello there"
    assert await response.read_chunk() == b""
    response.close()
    response.close()


@pytest.mark.parametrize(
    "path", ["/v1/chat/completions", "/chat/completions", "/openai/deployments/x/chat/completions?api-version=1"]
)
async def test_path_may_have_a_prefix_and_a_query(path: str) -> None:
    response = await SimTransport().send(make_request("echo", path), 5)
    assert response.status == 200


async def test_fast_stream_is_ready_at_once() -> None:
    response = await send("lorem-200", stream=True)
    data = await response.read_chunk()
    assert data.startswith(b"data: {")
    assert data.endswith(b"data: [DONE]\n\n")
    assert await response.read_chunk() == b""


async def test_long_fast_stream_comes_in_pieces_and_shares_the_loop() -> None:
    response = await send("lorem:tokens=5000", stream=True)
    turns = 0

    async def count_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    other = asyncio.create_task(count_turns())
    size = len(await response.read(CAP))
    other.cancel()
    assert turns >= size // 200_000 > 0


async def test_paced_stream() -> None:
    start = time.monotonic()
    response = await send("lorem:tokens=3:first=0.2:tps=20", stream=True)
    chunks = []
    while chunk := await response.read_chunk():
        chunks.append(chunk)
    assert time.monotonic() - start >= 0.2 + 2 / 20
    assert len(chunks) >= 2
    assert sum(chunk.count(b'"content":"') for chunk in chunks) == 4  # the role, then three tokens


async def test_provider_keeps_writing_while_nobody_reads() -> None:
    response = await send("lorem:tokens=5:tps=100", stream=True)
    await response.read_chunk()
    await asyncio.sleep(0.1)
    assert (await response.read_chunk()).endswith(b"[DONE]\n\n")


async def test_delayed_head() -> None:
    start = time.monotonic()
    await send("echo:head=0.05", stream=True)
    assert time.monotonic() - start >= 0.05
    await send("lorem:tokens=5:tps=100:first=0.02")
    assert time.monotonic() - start >= 0.05 + 0.02 + 0.05


async def test_nudge_ends_only_one_wait() -> None:
    response = await send("fault-stall:after=0", stream=True)
    await response.read_chunk()
    response.nudge()  # does nothing because nobody waits
    waiting = asyncio.create_task(response.read_chunk())
    await asyncio.sleep(0.02)
    assert not waiting.done()
    response.nudge()
    response.nudge()
    assert await waiting is None
    waiting = asyncio.create_task(response.read_chunk())
    await asyncio.sleep(0.02)
    assert not waiting.done()
    response.close()
    with pytest.raises(Truncated):
        await waiting


async def test_nudge_loses_no_data() -> None:
    response = await send("lorem:tokens=2:first=0.1", stream=True)
    await response.read_chunk()
    waiting = asyncio.create_task(response.read_chunk())
    await asyncio.sleep(0)
    response.nudge()
    assert await waiting is None
    assert (await response.read_chunk()).endswith(b"[DONE]\n\n")


async def test_close_while_waiting_and_after() -> None:
    response = await send("lorem:tokens=2:first=60", stream=True)
    await response.read_chunk()
    waiting = asyncio.create_task(response.read_chunk())
    await asyncio.sleep(0)
    response.close()
    with pytest.raises(Truncated):
        await waiting
    with pytest.raises(Truncated):
        await response.read_chunk()


async def test_silence_ends_by_cancelling() -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(send("fault-silence"), 0.05)


async def test_closing_the_transport_ends_every_wait() -> None:
    transport = SimTransport()
    silent = asyncio.create_task(send("fault-silence", transport))
    late = asyncio.create_task(send("echo:head=60", transport))
    stalled = await send("fault-stall:after=0", transport, stream=True)
    await stalled.read_chunk()
    waiting = asyncio.create_task(stalled.read_chunk())
    await asyncio.sleep(0.01)
    await transport.close()
    for task, kind in ((silent, Disconnected), (late, Disconnected), (waiting, Truncated)):
        with pytest.raises(kind):
            await task


async def test_reading_continues_after_a_cancelled_wait() -> None:
    response = await send("lorem:tokens=1:first=0.5", stream=True)
    await response.read_chunk()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(response.read_chunk(), 0.02)
    assert b"Lore" in await response.read_chunk()


async def test_read_has_a_cap() -> None:
    with pytest.raises(BadAnswer):
        await (await send("lorem-200")).read(100)


async def test_reset_before_the_head() -> None:
    with pytest.raises(Disconnected):
        await send("fault-reset")


async def test_same_seed_same_answers() -> None:
    async def collect_answers(seed: int) -> list[tuple[int, bytes]]:
        transport = SimTransport(seed=seed)
        found = []
        for _ in range(20):
            response = await send("fault-500:p=0.5", transport)
            found.append((response.status, re.sub(rb'"created":\d+', b"", await response.read(CAP))))
        return found

    assert await collect_answers(1) == await collect_answers(1) != await collect_answers(2)


SCRIPT = parse_script(
    """
rules:
  - exact: Hello there
    model: scripted:tps=0
    reply: never
  - match: ^Hello
    model: lorem
    tools: [{name: greet, arguments: {who: there}}]
  - match: ^Hello
    model: lorem-7
    reply: General Kenobi
    fault: cut:after=1
"""
)

BEHAVIOURS = [
    "echo",
    "fast",
    "lorem",
    "lorem-7",
    "mirror",
    "echo:split=3",
    "echo:bom=1:comments=1:eol=cr",
    "lorem:tokens=6:tps=200",
    "fault-429",
    "fault-502",
    "fault-reset",
    "fault-silence",
    "fault-stall",
    "fault-cut",
    "fault-cut:reset=1",
    "fault-cut-clean",
    "fault-half-close",
    "fault-no-done",
    "fault-length",
    "fault-length:by=-9",
    "fault-json",
    "fault-html",
    "fault-error-200",
    "fault-error-midstream",
    "fault-preamble-error",
    "fault-no-usage",
    "fault-bad-usage:kind=nan",
    "fault-204",
    "fault-redirect",
    "fault-trickle:gap=3600",
    "fault-cut-at:bytes=0",
    "fault-cut-at:bytes=100",
    *[f"fault-cut-at:bytes={size}" for size in range(150, 820, 61)],
    "nowhere",
    "echo:nonsense=1",
]


async def read_in_process(transport: SimTransport, request: Request, patience: float) -> tuple[bytes, str]:
    body = b""
    try:
        response = await asyncio.wait_for(transport.send(request, 5), patience)
        while True:
            waiting = asyncio.ensure_future(response.read_chunk())
            done, _ = await asyncio.wait([waiting], timeout=patience)
            if not done:
                response.nudge()
                assert await waiting is None
                return body, "silent"
            data = waiting.result()
            if not data:
                return body, "complete"
            body += data
    except TimeoutError:
        return body, "silent"
    except (Disconnected, Truncated):
        return body, "broken"


async def read_from_socket(server: SimServer, request: Request, patience: float) -> tuple[bytes, str]:
    """Read an answer as any HTTP client would, with httptools."""
    import httptools

    class Answer:
        def __init__(self) -> None:
            self.body, self.complete = b"", False

        def on_body(self, data: bytes) -> None:
            self.body += data

        def on_message_complete(self) -> None:
            self.complete = True

    host, port = server.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(request.head + b"content-length: %d\r\n\r\n" % len(request.body) + request.body)
    answer = Answer()
    parser = httptools.HttpResponseParser(answer)
    try:
        while not answer.complete:
            data = await asyncio.wait_for(reader.read(65536), patience)
            if not data:
                return answer.body, "broken"
            try:
                parser.feed_data(data)
            except httptools.HttpParserError:
                assert answer.complete  # only bytes beyond the stated length are not HTTP
        return answer.body, "complete"
    except TimeoutError:
        return answer.body, "silent"
    except ConnectionResetError:
        return answer.body, "broken"
    finally:
        writer.transport.abort()


@pytest.mark.parametrize("model", BEHAVIOURS)
async def test_transport_and_server_answer_alike(model: str) -> None:
    requests = [
        make_request(model),
        make_request(model, stream=True),
        make_request(model, stream=True, stream_options={"include_usage": True}, n=2, logprobs=True),
        make_request(model, "/v1/completions", prompt="Hello there", stream=True, logprobs=None),
        make_request(model, "/v1/embeddings", input=["Hello", "there"]),
    ]
    patience = 10.0
    if any(word in model for word in ("silence", "stall", "trickle")):
        requests, patience = requests[:2], 0.4
    transport = SimTransport(SCRIPT, seed=7)
    async with SimServer(SCRIPT, seed=7) as server:
        for request in requests:
            first, second = (
                await read_in_process(transport, request, patience),
                await read_from_socket(server, request, patience),
            )
            created = re.compile(rb'"created":\d+')
            assert created.sub(b"", first[0]) == created.sub(b"", second[0])
            assert first[1] == second[1]


@pytest.mark.parametrize(
    ("path", "fields", "finish"),
    [
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": "x"}]}, b'"finish_reason":null'),
        ("/v1/responses", {"input": "x"}, b'"status":"in_progress"'),
        (
            "/v1/messages",
            {"max_tokens": 9, "messages": [{"role": "user", "content": "x"}]},
            b'"stop_reason":null',
        ),
        (
            "/v1beta/models/fault-cut-clean:after=2:generateContent",
            {"contents": [{"role": "user", "parts": [{"text": "x"}]}]},
            b'"finishReason":null',
        ),
        (
            "/model/fault-cut-clean:after=2/converse",
            {"messages": [{"role": "user", "content": [{"text": "x"}]}]},
            b'"stopReason":null',
        ),
    ],
)
async def test_complete_answer_without_finish_reason_on_every_wire(
    path: str, fields: dict[str, Any], finish: bytes
) -> None:
    body = json.dumps({**({} if "clean" in path else {"model": "fault-cut-clean:after=2"}), **fields})
    head = f"POST {path} HTTP/1.1\r\nhost: sim\r\nanthropic-version: 2023-06-01\r\n".encode()
    response = await SimTransport().send(Request(ORIGIN, head, body.encode()), 5)
    answer = await response.read(CAP)
    assert finish in answer
    assert b'"Lorem ip"' in answer
