"""The record of a caller who leaves before any output: the estimated input where the request states it, or unknown."""

import asyncio
import json
import threading
from typing import Any

import pytest

from processes import PATIENCE, Gateway, chat, wait_until
from server.operations.provider import Exchange, Provider

SPEECH = {"model": "speaker", "input": "gr\u00fc\u00df \U0001f600", "voice": "alloy"}
IMAGES = {"model": "painter", "prompt": "a cat", "n": 4}
CHAT = {"model": "writer", "messages": [{"role": "user", "content": "a" * 400}]}


async def leave_before_output(gateway: Gateway, provider: Provider, path: str, body: Any) -> dict[str, Any]:
    """Send a request, leave once the provider has read it, and return the call's record."""
    received = threading.Event()

    async def stay_silent(exchange: Exchange) -> None:
        await exchange.read()
        received.set()
        assert await exchange.reader.read() == b""
        provider.left.set()

    provider.routes[f"POST {path}"] = stay_silent
    await gateway.wait_for_record(await chat(gateway, "sim/echo"))  # records arrive in order: no earlier one is missing
    earlier = {row["id"] for row in gateway.list_records()}
    content = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1:{gateway.port}\r\nauthorization: Bearer {gateway.key}\r\n"
    _, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(f"{head}content-type: application/json\r\ncontent-length: {len(content)}\r\n\r\n".encode() + content)
    assert await asyncio.to_thread(received.wait, PATIENCE)
    writer.close()
    await writer.wait_closed()
    assert await asyncio.to_thread(provider.left.wait, PATIENCE)
    await wait_until(lambda: {row["id"] for row in gateway.list_records()} - earlier)
    (row,) = [row for row in gateway.list_records() if row["id"] not in earlier]
    assert (row["outcome"], row["status"], row["error"]) == ("cancelled", 499, "cancelled")
    assert (row["target"], len(provider.seen)) == (f"far/{body['model'].removeprefix('far/')}", 1)
    return row


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_the_prompt_of_a_generation_is_estimated(gateway: Gateway, provider: Provider, stream: bool) -> None:
    row = await leave_before_output(gateway, provider, "/v1/chat/completions", {**CHAT, "stream": stream})
    assert 100 <= row["input"] <= 150  # 400 characters and the message's own
    assert (row["output"], row["estimated"], row["cost"]) == (0, 1, row["input"] * 2_000_000)


async def test_the_characters_of_speech_are_estimated(gateway: Gateway, provider: Provider) -> None:
    """A provider that bills by the character may bill them, although nobody heard them.

    Their number follows from the request alone, so recording it is more honest than an unknown cost, which no budget
    counts. A caller who leaves after the first byte is recorded with the same number.
    """
    row = await leave_before_output(gateway, provider, "/v1/audio/speech", SPEECH)
    assert (row["characters"], row["estimated"], row["cost"]) == (6, 1, 6 * 10_000_000)
    assert (row["input"], row["output"]) == (0, 0)


async def test_speech_without_a_price_by_the_character_has_an_unknown_cost(
    gateway: Gateway, provider: Provider
) -> None:
    row = await leave_before_output(gateway, provider, "/v1/audio/speech", {**SPEECH, "model": "far/speaker"})
    assert (row["characters"], row["estimated"], row["cost"]) == (6, 1, None)


async def test_images_are_unknown_and_never_zero(gateway: Gateway, provider: Provider) -> None:
    """The request states how many images are wanted, but not what is billed.

    Providers bill tokens, or a price by size and quality, for the images that were made. Four times the price of an
    image could be as wrong as zero, so both usage and cost are unknown.
    """
    row = await leave_before_output(gateway, provider, "/v1/images/generations", IMAGES)
    assert [row[name] for name in ("input", "output", "images", "cost")] == [None] * 4
