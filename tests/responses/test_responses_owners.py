"""A background response has an owner and a lease: a second process on the same data directory sees it as it is."""

import asyncio
import json
import signal
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from antiphon.responses.store import LEASE_SECONDS
from processes import Gateway, wait_until
from responses.slow_provider import SlowProvider, age_leases, open_client, wait_for_end

RUNNING = ("queued", "in_progress")
HEARTBEAT = 0.6
HEARTBEAT_LINE = b": keep-alive"
SLACK = 5.0
"""Seconds beside the lease that a busy machine may take."""


@pytest.fixture
def owner(slow: SlowProvider, tmp_path: Path) -> Iterator[Gateway]:
    """The process that makes the responses."""
    config = {
        "server": {"drain": 0.1, "heartbeat": HEARTBEAT},
        "providers": {"slow": {"kind": "openai-compatible", "base_url": slow.url}},
        "models": {"m": "slow/m"},
    }
    running = Gateway(tmp_path, config)
    yield running
    running.stop()
    assert "Traceback" not in running.output, running.output


@pytest.fixture
def second(owner: Gateway, tmp_path: Path) -> Iterator[Gateway]:
    """Another process with the same configuration and data directory."""
    running = Gateway(tmp_path)
    yield running
    assert running.stop() == 0, running.output
    assert "Traceback" not in running.output, running.output


@pytest.fixture
def there(owner: Gateway) -> Iterator[openai.OpenAI]:
    """A client of the owner."""
    with open_client(owner) as client:
        yield client


@pytest.fixture
def here(second: Gateway) -> Iterator[openai.OpenAI]:
    """A client of the second process."""
    with open_client(second) as client:
        yield client


def begin(client: openai.OpenAI, *, stream: bool) -> str:
    """Begin a background response and return its id; of a streamed one the caller leaves at once."""
    if not stream:
        return client.responses.create(model="m", input="Hi", background=True).id
    events = client.responses.create(model="m", input="Hi", background=True, stream=True)
    name = next(iter(events)).response.id
    events.close()
    return str(name)


class EventReader(threading.Thread):
    """Reads the events of a response as they arrive, with the moment at which each line came."""

    def __init__(self, gateway: Gateway, name: str, after: int | None = None) -> None:
        super().__init__(daemon=True)
        query = "" if after is None else f"&starting_after={after}"
        self._request = urllib.request.Request(
            f"{gateway.url}/v1/responses/{name}?stream=true{query}", headers={"authorization": f"Bearer {gateway.key}"}
        )
        self.lines: list[bytes] = []
        self.start()

    def run(self) -> None:
        with urllib.request.urlopen(self._request, timeout=30) as answer:
            for line in answer:
                if line.strip():
                    self.lines.append(line.strip())

    def read_events(self) -> list[dict[str, Any]]:
        """Wait for the end of the stream and return its events."""
        self.join(30)
        assert not self.is_alive()
        return [json.loads(line[6:]) for line in self.lines if line.startswith(b"data: ")]


@pytest.mark.parametrize("stream", [False, True])
async def test_shown_as_running_by_the_second_process(
    there: openai.OpenAI, here: openai.OpenAI, slow: SlowProvider, stream: bool
) -> None:
    name = begin(there, stream=stream)
    await wait_until(lambda: slow.requests)
    until = time.monotonic() + LEASE_SECONDS + 1  # longer than a lease that nobody renews
    while time.monotonic() < until:
        assert here.responses.retrieve(name).status in RUNNING
        await asyncio.sleep(0.3)
    with pytest.raises(openai.BadRequestError) as caught:
        here.responses.create(model="m", input="More", previous_response_id=name)
    assert caught.value.code == "previous_response_not_completed"
    slow.allow(4)
    done = await wait_for_end(here, name)
    assert (done.status, done.output_text, done.id) == ("completed", "Hello", name)
    assert there.responses.retrieve(name) == done
    slow.allow()
    after = here.responses.create(model="m", input="More", previous_response_id=name)
    assert after.previous_response_id == name


async def test_streamed_by_the_second_process(
    owner: Gateway, second: Gateway, there: openai.OpenAI, here: openai.OpenAI, slow: SlowProvider
) -> None:
    name = begin(there, stream=True)
    at_owner, at_second = EventReader(owner, name), EventReader(second, name)
    late = EventReader(second, name, after=3)
    await wait_until(lambda: at_second.lines.count(HEARTBEAT_LINE) >= 2)
    assert set(at_second.lines) == {HEARTBEAT_LINE}
    assert at_second.is_alive()
    slow.allow(4)
    events = at_second.read_events()
    assert events == at_owner.read_events()
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert events[-1]["type"] == "response.completed"
    assert "".join(event["delta"] for event in events if event["type"] == "response.output_text.delta") == "Hello"
    assert late.read_events() == events[4:]
    with here.responses.stream(response_id=name) as helped:
        assert helped.get_final_response().output_text == "Hello"


@pytest.mark.parametrize("stream", [False, True])
async def test_cancelled_by_the_second_process(
    owner: Gateway, second: Gateway, there: openai.OpenAI, here: openai.OpenAI, slow: SlowProvider, stream: bool
) -> None:
    name = begin(there, stream=stream)
    await wait_until(lambda: slow.requests)
    followers = [EventReader(owner, name), EventReader(second, name)]
    assert here.responses.cancel(name).status == "cancelled"
    assert there.responses.retrieve(name).status == "cancelled"
    assert here.responses.retrieve(name).status == "cancelled"
    for follower in followers:
        last = follower.read_events()[-1]
        assert (last["type"], last["response"]["status"]) == ("response.incomplete", "cancelled")
    await wait_until(lambda: [row for row in owner.list_records() if row["outcome"] == "cancelled"])
    slow.allow(5)
    assert here.responses.cancel(name).status == "cancelled"
    assert there.responses.cancel(name).status == "cancelled"


async def test_deleted_by_the_second_process(
    second: Gateway, there: openai.OpenAI, here: openai.OpenAI, slow: SlowProvider
) -> None:
    name = begin(there, stream=False)
    await wait_until(lambda: slow.requests)
    follower = EventReader(second, name)
    await wait_until(lambda: follower.lines)
    here.responses.delete(name)
    for client in (here, there):
        with pytest.raises(openai.NotFoundError):
            client.responses.retrieve(name)
        with pytest.raises(openai.NotFoundError):
            client.responses.delete(name)
    last = follower.read_events()[-1]  # its deletion cancelled it, whether or not the follower saw it cancelled
    assert (last["type"], last["response"]["status"]) == ("response.incomplete", "cancelled")


async def test_failed_within_the_lease_of_a_killed_owner(
    owner: Gateway, second: Gateway, there: openai.OpenAI, here: openai.OpenAI, slow: SlowProvider
) -> None:
    names = [begin(there, stream=stream) for stream in (False, True)]
    await wait_until(lambda: len(slow.requests) == 2)
    follower = EventReader(second, names[0])
    killed = time.monotonic()
    owner.kill()
    assert {here.responses.retrieve(name).status for name in names} <= set(RUNNING)
    for name in names:
        failed = await wait_for_end(here, name, killed + LEASE_SECONDS + SLACK - time.monotonic())
        assert (failed.status, failed.error.code) == ("failed", "server_error")
        assert "stopped" in failed.error.message
        assert here.responses.cancel(name).status == "failed"
    events = follower.read_events()
    assert time.monotonic() - killed < LEASE_SECONDS + SLACK + 2
    assert [event["type"] for event in events][-2:] == ["error", "response.failed"]
    here.responses.delete(names[0])
    with pytest.raises(openai.NotFoundError):
        here.responses.retrieve(names[0])


async def test_cancelled_after_its_owner_was_killed(
    owner: Gateway, there: openai.OpenAI, here: openai.OpenAI, slow: SlowProvider
) -> None:
    name = begin(there, stream=False)
    await wait_until(lambda: slow.requests)
    owner.kill()
    age_leases(owner, LEASE_SECONDS - 2)
    begun = time.monotonic()
    assert here.with_options(timeout=LEASE_SECONDS + 10).responses.cancel(name).status == "failed"
    assert time.monotonic() - begun < 2 + SLACK


@pytest.mark.parametrize("ends_first", [False, True])
async def test_a_response_that_was_shown_as_failed_is_not_completed_later(
    owner: Gateway, there: openai.OpenAI, here: openai.OpenAI, slow: SlowProvider, ends_first: bool
) -> None:
    """The owner is paused for longer than its lease; then it goes on, and its provider answers sooner or later."""
    name = begin(there, stream=False)
    await wait_until(lambda: slow.requests)
    owner.process.send_signal(signal.SIGSTOP)
    try:
        age_leases(owner, LEASE_SECONDS)
        failed = here.responses.retrieve(name)
        assert failed.status == "failed"
        if ends_first:
            slow.allow(4)
    finally:
        owner.process.send_signal(signal.SIGCONT)
    await wait_until(lambda: there.responses.retrieve(name).status not in RUNNING)
    assert there.responses.retrieve(name).status == "failed"
    assert here.responses.retrieve(name) == failed
    await wait_until(owner.list_records)
    slow.allow(4)


async def test_a_paused_owner_completes_a_response_that_nobody_saw(
    owner: Gateway, there: openai.OpenAI, here: openai.OpenAI, slow: SlowProvider
) -> None:
    name = begin(there, stream=False)
    await wait_until(lambda: slow.requests)
    owner.process.send_signal(signal.SIGSTOP)
    age_leases(owner, LEASE_SECONDS)
    slow.allow(4)
    owner.process.send_signal(signal.SIGCONT)
    assert (await wait_for_end(there, name)).status == "completed"
    assert here.responses.retrieve(name).status == "completed"


async def test_a_stopped_owner_says_so_at_once(
    owner: Gateway, there: openai.OpenAI, here: openai.OpenAI, slow: SlowProvider
) -> None:
    name = begin(there, stream=False)
    await wait_until(lambda: slow.requests)
    assert owner.stop() == 0
    failed = here.responses.retrieve(name)
    assert failed.status == "failed"
    assert "stopped" in failed.error.message
