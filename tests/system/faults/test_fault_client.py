"""A client leaves at any moment: the provider is released, and the output so far is in the ledger."""

import asyncio
import json
import socket
import time
from typing import Any

import psutil
import pytest

from processes import Gateway, Sim, allow, chat, wait_until


async def leave(gateway: Gateway, model: str, *, after: bytes | None, stream: bool = True) -> float:
    """Open a call, leave after seeing ``after`` (or after a moment), and return when that was."""
    body = {"model": model, "messages": [{"role": "user", "content": "a b c d e f g h"}], "stream": stream}
    content = json.dumps(body).encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:{gateway.port}\r\n"
        f"authorization: Bearer {gateway.key}\r\ncontent-length: {len(content)}\r\n\r\n"
    )
    writer.write(head.encode() + content)
    if after is None:
        await asyncio.sleep(0.15)
    else:
        await reader.readuntil(after)
    writer.close()
    return time.time()


def list_records_of_provider(gateway: Gateway) -> list[dict[str, Any]]:
    """Return the records of calls to the provider; the probes after each case go elsewhere."""
    return [row for row in gateway.list_records() if row["provider"] == "up"]


@pytest.mark.parametrize(
    ("model", "after", "stream"),
    [
        ("up/fault-silence", None, True),
        ("up/fault-silence", None, False),
        ("up/echo:tps=10:first=0.05", b'"content":', True),
        ("up/lorem:tokens=50:tps=20", None, False),
    ],
    ids=["before-first-output", "whole-before-head", "mid-stream", "whole"],
)
async def test_a_caller_who_leaves_closes_the_provider_and_is_recorded(
    gateway: Gateway, sim: Sim, model: str, after: bytes | None, stream: bool
) -> None:
    earlier = {row["id"] for row in list_records_of_provider(gateway)}
    before = len(sim.list_served())
    left = await leave(gateway, model, after=after, stream=stream)
    await wait_until(lambda: sim.list_served()[before:] and sim.list_served()[before]["ended"], allow(0.5))
    served = sim.list_served()[before]
    assert served["ended"] == "left"
    assert served["time"] / 1e6 + served["closed_after"] - left <= allow(0.5)
    await wait_until(lambda: {row["id"] for row in list_records_of_provider(gateway)} - earlier)
    (row,) = [row for row in list_records_of_provider(gateway) if row["id"] not in earlier]
    assert (row["outcome"], row["status"], row["estimated"]) == ("cancelled", 499, 1)
    assert row["input"] > 0
    assert (row["output"] > 0) == (after is not None)


async def test_a_hundred_callers_who_leave_are_a_hundred_records(gateway: Gateway, sim: Sim) -> None:
    earlier = len(list_records_of_provider(gateway))
    await asyncio.gather(*(leave(gateway, "up/echo:tps=10", after=b'"content":') for _ in range(100)))
    await wait_until(lambda: sim.count_open() <= 1, allow(1))
    await wait_until(lambda: len(list_records_of_provider(gateway)) >= earlier + 100)
    rows = list_records_of_provider(gateway)
    assert len(rows) == earlier + 100
    assert sum(row["outcome"] == "cancelled" for row in rows) >= 100


def open_stream_unread(gateway: Gateway, model: str) -> socket.socket:
    """Ask for a stream on a connection that nobody reads."""
    body = {"model": model, "messages": [{"role": "user", "content": "x"}], "stream": True}
    content = json.dumps(body).encode()
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:{gateway.port}\r\n"
        f"authorization: Bearer {gateway.key}\r\ncontent-length: {len(content)}\r\n\r\n"
    )
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    made.connect(("127.0.0.1", gateway.port))
    made.sendall(head.encode() + content)
    return made


async def test_slow_readers_hold_the_provider_back_and_need_little_memory(gateway: Gateway, sim: Sim) -> None:
    readers = 100
    process = psutil.Process(gateway.process.pid)
    await asyncio.gather(*(chat(gateway, "up/lorem:tokens=50:tps=100", stream=True) for _ in range(readers)))
    before = process.memory_info().rss
    sim.clear()
    slow = [open_stream_unread(gateway, "up/lorem:tokens=100000") for _ in range(readers)]

    def has_stalled() -> bool:
        written = sum(entry["bytes"] for entry in sim.list_served())
        time.sleep(0.3)
        return len(sim.list_served()) == readers and sum(entry["bytes"] for entry in sim.list_served()) == written

    await wait_until(has_stalled)
    try:
        assert {entry["ended"] for entry in sim.list_served()} == {""}
        assert (process.memory_info().rss - before) / readers <= 256 * 1024
    finally:
        for each in slow:
            each.close()
    await wait_until(lambda: {entry["ended"] for entry in sim.list_served()} == {"left"})
