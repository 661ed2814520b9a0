"""Deadlines of operation calls: silence counts, uploading does not; and the records of such calls."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from processes import PATIENCE, Gateway, post, wait_until
from server.operations.provider import Exchange, Provider

PATH = "/v1/audio/transcriptions"
FORM = "multipart/form-data; boundary=b"
START = (
    b'--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nears\r\n'
    b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
)
END = b"\r\n--b--\r\n"


@pytest.fixture(scope="module")
def hasty(provider_server: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway with short deadlines."""
    account = {"kind": "openai", "base_url": provider_server.url, "api_key": "k"}
    config = {
        "providers": {"far": {**account, "timeouts": {"first_output": 0.6, "idle": 0.6, "total": 6}}},
        "models": {"ears": "far/whisper-1"},
    }
    running = Gateway(tmp_path_factory.mktemp("hasty"), config)
    try:
        yield running
    finally:
        assert running.stop() == 0, running.output
        assert "Traceback" not in running.output, running.output


async def close_writer(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


async def upload_slowly(gateway: Gateway, seconds: float, pieces: int) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    try:
        head = f"POST {PATH} HTTP/1.1\r\nhost: 127.0.0.1:{gateway.port}\r\nauthorization: Bearer {gateway.key}\r\n"
        length = len(START) + pieces + len(END)
        head += f"content-type: {FORM}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
        writer.write(head.encode() + START)
        for _ in range(pieces):
            await asyncio.sleep(seconds / pieces)
            writer.write(b"x")
        writer.write(END)
        return await asyncio.wait_for(reader.read(), PATIENCE)
    finally:
        await close_writer(writer)


async def test_an_upload_may_take_longer_than_the_first_output(hasty: Gateway, provider: Provider) -> None:
    async def answer_text(exchange: Exchange) -> None:
        await exchange.read()
        await exchange.answer(b'{"text":"x"}')

    provider.routes[f"POST {PATH}"] = answer_text
    answer = await upload_slowly(hasty, 2.0, 20)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.endswith(b'{"text":"x"}')


async def test_silence_after_the_upload_times_out(hasty: Gateway, provider: Provider) -> None:
    async def stay_silent(exchange: Exchange) -> None:
        await exchange.read()
        await exchange.reader.read()
        provider.left.set()

    provider.routes[f"POST {PATH}"] = stay_silent
    got = await post(hasty.port, PATH, START + END, hasty.key, {"content-type": FORM})
    assert (got.status, got.json["error"]["code"]) == (504, "upstream_timeout")
    assert "first_output deadline" in got.json["error"]["message"]
    assert await asyncio.to_thread(provider.left.wait, PATIENCE)
    assert (await hasty.wait_for_record(got))["error"] == "upstream_timeout"


async def test_a_provider_that_does_not_read_times_out(hasty: Gateway, provider: Provider) -> None:
    over = threading.Event()

    async def read_nothing(exchange: Exchange) -> None:
        await asyncio.to_thread(over.wait, 10)

    provider.routes[f"POST {PATH}"] = read_nothing
    got = await post(hasty.port, PATH, START + b"x" * 24_000_000 + END, hasty.key, {"content-type": FORM})
    over.set()
    assert (got.status, got.json["error"]["code"]) == (504, "upstream_timeout")


async def test_silence_in_the_middle_of_bytes_breaks_the_answer(hasty: Gateway, provider: Provider) -> None:
    async def stop_midway(exchange: Exchange) -> None:
        await exchange.read()
        await exchange.begin("audio/mpeg")
        await exchange.send_chunk(b"x" * 1000)
        await exchange.reader.read()

    provider.routes["POST /v1/audio/speech"] = stop_midway
    got = await post(hasty.port, "/v1/audio/speech", {"model": "far/tts", "input": "x"}, hasty.key)
    assert (got.status, got.whole) == (200, False)
    row = await hasty.wait_for_record(got)
    assert (row["outcome"], row["error"]) == ("partial", "upstream_timeout")


async def test_a_caller_that_leaves_while_bytes_arrive_is_recorded(hasty: Gateway, provider: Provider) -> None:
    async def send_endlessly(exchange: Exchange) -> None:
        await exchange.read()
        await exchange.begin("audio/mpeg")
        while True:
            await exchange.send_chunk(b"x" * 1000)
            await asyncio.sleep(0.01)

    provider.routes["POST /v1/audio/speech"] = send_endlessly
    before = len(hasty.list_records())
    reader, writer = await asyncio.open_connection("127.0.0.1", hasty.port)
    body = b'{"model":"far/tts","input":"x"}'
    head = f"POST /v1/audio/speech HTTP/1.1\r\nhost: 127.0.0.1:{hasty.port}\r\nauthorization: Bearer {hasty.key}\r\n"
    writer.write(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
    assert (await reader.read(100)).startswith(b"HTTP/1.1 200 ")
    await close_writer(writer)
    assert await asyncio.to_thread(provider.left.wait, PATIENCE)
    await wait_until(lambda: len(hasty.list_records()) > before)
    row = hasty.list_records()[-1]
    assert (row["operation"], row["outcome"], row["cost"]) == ("speech", "cancelled", None)
    assert (row["characters"], row["estimated"]) == (1, 1)
