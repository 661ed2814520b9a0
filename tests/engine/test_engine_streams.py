"""Frames that go straight to a caller: nothing is lost, repeated or reordered, and the end of a stream is never among
them."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from antiphon.engine.call import AnswerStream
from antiphon.runtime import Runtime
from engine.conftest import Provider, ask, frame

StartRuntime = Callable[[dict[str, Any]], Awaitable[Runtime]]
PING = b": ping\n\n"


class Writes:
    """The caller's side: takes frames at once, or refuses them as a caller does that is behind."""

    def __init__(self, refused: float = 0.0, seed: int = 0) -> None:
        self.frames: list[bytes] = []
        self.direct = 0
        self.refusals = 0
        self._refused = refused
        self._random = random.Random(seed)

    def write(self, frames: bytes) -> bool:
        if self._random.random() < self._refused:
            self.refusals += 1
            return False
        self.direct += 1
        self.frames.append(frames)
        return True

    async def take(self, stream: AnswerStream) -> bytes:
        """Return every byte of the stream, in the order in which the caller gets it."""
        try:
            while frames := await stream.next(self.write):
                self.frames.append(frames)
        finally:
            stream.close()
        return b"".join(self.frames)


async def start_stream(start_runtime: StartRuntime, provider: Provider, **config: Any) -> AnswerStream:
    providers = {"up": {"kind": "openai-compatible", "base_url": provider.url}}
    runtime = await start_runtime({"providers": providers, "models": {"m": "up/a"}, **config})
    answer = await ask(runtime, stream=True)
    assert answer.stream is not None
    return answer.stream


def set_script(provider: Provider, pieces: list[bytes], pause: float = 0.0, *, stays: bool = False) -> None:
    """Let the provider send a stream in these pieces, and then end it or fall silent."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        await provider.begin_stream(writer)
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause)
        if stays:
            await asyncio.sleep(60)
        writer.close()

    provider.answer = answer


@pytest.mark.parametrize("refused", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("seed", range(4))
async def test_every_byte_arrives_once_and_in_order(
    providers: list[Provider], start_runtime: StartRuntime, refused: float, seed: int
) -> None:
    rng = random.Random(seed)
    body = frame("first")
    for number in range(300):
        body += frame(f"{number} " * rng.choice((1, 1, 40))) + (PING if rng.random() < 0.1 else b"")
    body += frame(finish="stop") + b"data: [DONE]\n\n"
    cuts = sorted(rng.sample(range(1, len(body)), 60))
    pieces = [body[a:b] for a, b in zip([0, *cuts], [*cuts, len(body)], strict=True)]
    set_script(providers[0], pieces, 0.001)
    writes = Writes(refused, seed)
    stream = await start_stream(start_runtime, providers[0])
    assert await writes.take(stream) == body
    assert (writes.direct > 0) == (refused < 1)
    assert (writes.refusals > 0) == (refused > 0)


async def test_the_last_frame_is_returned_after_the_record(
    providers: list[Provider], start_runtime: StartRuntime
) -> None:
    set_script(providers[0], [frame("a"), frame("b"), frame("c") + frame(finish="stop") + b"data: [DONE]\n\n"], 0.05)
    stream = await start_stream(start_runtime, providers[0])
    records = []
    writes = Writes()

    def write(frames: bytes) -> bool:
        records.append(stream.record)
        return writes.write(frames)

    while frames := await stream.next(write):
        writes.frames.append(frames)
        if b"[DONE]" in frames:
            assert stream.record is not None
    stream.close()
    assert writes.direct
    assert set(records) == {None}
    assert not any(b"[DONE]" in frames for frames in writes.frames[: writes.direct])


@pytest.mark.parametrize(
    "broken", [b'data: {"choices": [{"index"\n\n', b'data: {"error": {"message": "overloaded"}}\n\n']
)
async def test_a_broken_frame_ends_a_stream_with_an_error(
    providers: list[Provider], start_runtime: StartRuntime, broken: bytes
) -> None:
    set_script(providers[0], [frame("a"), frame("b"), frame("c") + broken, frame("d")], 0.05, stays=True)
    stream = await start_stream(start_runtime, providers[0])
    writes = Writes()
    received = await writes.take(stream)
    assert received.startswith(frame("a") + frame("b") + frame("c"))
    assert b'"error"' in received
    assert b"[DONE]" not in received
    assert frame("d") not in received
    assert writes.direct
    assert stream.record is not None
    assert stream.record.outcome == "partial"


async def test_pings_do_not_delay_the_idle_deadline(providers: list[Provider], start_runtime: StartRuntime) -> None:
    set_script(providers[0], [frame("a"), frame("b"), *[PING] * 200], 0.05, stays=True)
    stream = await start_stream(start_runtime, providers[0], timeouts={"idle": 0.6})
    writes = Writes()
    async with asyncio.timeout(8):
        received = await writes.take(stream)
    assert PING in received
    assert b"(idle deadline)" in received


async def test_frames_do_not_delay_the_total_deadline(providers: list[Provider], start_runtime: StartRuntime) -> None:
    set_script(providers[0], [frame("a")] * 400, 0.03, stays=True)
    stream = await start_stream(start_runtime, providers[0], timeouts={"total": 1.0})
    writes = Writes()
    async with asyncio.timeout(8):
        received = await writes.take(stream)
    assert writes.direct
    assert b"(total deadline)" in received


async def test_a_heartbeat_follows_silence_after_the_last_frame(
    providers: list[Provider], start_runtime: StartRuntime
) -> None:
    set_script(providers[0], [frame("a")] * 20, 0.05, stays=True)
    stream = await start_stream(start_runtime, providers[0], server={"heartbeat": 0.5})
    writes = Writes()
    try:
        async with asyncio.timeout(8):
            heartbeat = await stream.next(writes.write)
            while not heartbeat.startswith(b":"):
                writes.frames.append(heartbeat)
                heartbeat = await stream.next(writes.write)
    finally:
        stream.close()
    assert b"".join(writes.frames) == frame("a") * 20


async def test_a_caller_that_leaves_stops_the_writes(providers: list[Provider], start_runtime: StartRuntime) -> None:
    set_script(providers[0], [frame("a")] * 400, 0.01)
    stream = await start_stream(start_runtime, providers[0])
    writes = Writes()
    task = asyncio.ensure_future(writes.take(stream))
    while writes.direct < 5:
        await asyncio.sleep(0.01)
    task.cancel()
    taken = len(writes.frames)
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.sleep(0.1)
    assert len(writes.frames) == taken
    assert stream.record is not None
    assert stream.record.outcome == "cancelled"
