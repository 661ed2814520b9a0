"""Background responses at targets that cannot make them: accepted at once, made without a caller, never lost."""

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from antiphon.responses.store import LEASE_SECONDS
from processes import PATIENCE, Gateway, allow, post, run_cli, wait_until
from responses.slow_provider import SlowProvider, age_leases, open_client, wait_for_end


@pytest.fixture
def gateway(slow: SlowProvider, tmp_path: Path) -> Iterator[Gateway]:
    config = {
        "server": {"drain": 0.1},
        "providers": {"slow": {"kind": "openai-compatible", "base_url": slow.url}},
        "models": {"m": "slow/m"},
    }
    running = Gateway(tmp_path, config)
    yield running
    assert running.stop() == 0
    assert "Traceback" not in running.output, running.output


@pytest.fixture
def client(gateway: Gateway) -> Iterator[openai.OpenAI]:
    with open_client(gateway) as made:
        yield made


async def test_accepted_at_once_and_answered_later(gateway: Gateway, client: openai.OpenAI, slow: SlowProvider) -> None:
    raw = client.responses.with_raw_response.create(model="m", input="Hi", background=True, metadata={"k": "v"})
    begun = raw.parse()
    assert (begun.status, begun.background, begun.output, begun.metadata) == ("queued", True, [], {"k": "v"})
    assert client.responses.retrieve(begun.id).status == "queued"
    slow.allow()
    done = await wait_for_end(client, begun.id)
    assert (done.id, done.status, done.output_text, done.background) == (begun.id, "completed", "Hello", True)
    assert (done.usage.total_tokens, done.created_at) == (5, begun.created_at)
    assert "background" not in slow.requests[-1]
    listed = client.responses.input_items.list(begun.id)
    assert listed.data[0].content[0].text == "Hi"
    call = raw.headers["x-antiphon-call-id"]
    await wait_until(lambda: [row for row in gateway.list_records() if row["id"] == call])
    (record,) = [row for row in gateway.list_records() if row["id"] == call]
    assert (record["outcome"], record["operation"], record["output"]) == ("success", "responses", 2)
    slow.allow()
    after = client.responses.create(model="m", input="More", previous_response_id=begun.id)
    assert after.previous_response_id == begun.id
    assert [message["role"] for message in slow.requests[-1]["messages"]] == ["user", "assistant", "user"]


async def test_streamed_left_and_resumed(client: openai.OpenAI, slow: SlowProvider) -> None:
    seen: list[Any] = []
    with client.responses.create(model="m", input="Hi", background=True, stream=True) as stream:
        first = next(iter(stream))  # before the provider has answered
        assert (first.type, first.sequence_number, first.response.status) == ("response.created", 0, "queued")
        slow.allow(2)
        seen.append(first)
        for event in stream:
            seen.append(event)
            if event.type == "response.output_text.delta" and event.delta == "l":
                break
    name, last = first.response.id, seen[-1].sequence_number
    slow.allow(2)
    rest = list(client.responses.retrieve(name, stream=True, starting_after=last))
    whole = [*seen, *rest]
    assert [event.sequence_number for event in whole] == list(range(len(whole)))
    assert "".join(event.delta for event in whole if event.type == "response.output_text.delta") == "Hello"
    done = whole[-1]
    assert (done.type, done.response.id, done.response.output_text) == ("response.completed", name, "Hello")
    assert {event.response.id for event in whole if hasattr(event, "response")} == {name}
    # The replay of an ended response equals its original stream.
    for after in (None, 0, last, done.sequence_number):
        more = {} if after is None else {"starting_after": after}
        again = list(client.responses.retrieve(name, stream=True, **more))
        assert [event.sequence_number for event in again] == list(range(0 if after is None else after + 1, len(whole)))
        assert [event.type for event in again] == [event.type for event in whole[len(whole) - len(again) :]]
    with client.responses.stream(response_id=name, starting_after=last) as helped:
        assert helped.get_final_response().output_text == "Hello"


async def test_followed_by_several_while_it_is_made(client: openai.OpenAI, slow: SlowProvider) -> None:
    begun = client.responses.create(model="m", input="Hi", background=True, stream=True)
    name = next(iter(begun)).response.id
    begun.close()
    found: list[list[Any]] = []

    def follow() -> None:
        found.append(list(client.responses.retrieve(name, stream=True)))

    threads = [threading.Thread(target=follow) for _ in range(3)]
    for thread in threads:
        thread.start()
    slow.allow(4)
    for thread in threads:
        thread.join(20)
    assert [[event.sequence_number for event in each] for each in found] == [list(range(len(found[0])))] * 3
    assert [each[-1].response.output_text for each in found] == ["Hello"] * 3


@pytest.mark.parametrize("stream", [False, True])
async def test_cancelled(gateway: Gateway, client: openai.OpenAI, slow: SlowProvider, stream: bool) -> None:
    if stream:
        events = client.responses.create(model="m", input="Hi", background=True, stream=True)
        each = iter(events)
        name = next(each).response.id
        slow.allow()
        assert any(event.type == "response.output_text.delta" for event in each)
    else:
        name = client.responses.create(model="m", input="Hi", background=True).id
        await wait_until(lambda: slow.requests)
    with pytest.raises(openai.BadRequestError) as caught:
        client.responses.create(model="m", input="More", previous_response_id=name)
    assert caught.value.code == "previous_response_not_completed"
    for _ in range(2):  # again is the same
        assert client.responses.cancel(name).status == "cancelled"
    assert client.responses.retrieve(name).status == "cancelled"
    told = list(client.responses.retrieve(name, stream=True))
    assert (told[-1].type, told[-1].response.status) == ("response.incomplete", "cancelled")
    if stream:
        last = list(each)[-1]
        assert (last.type, last.sequence_number) == (told[-1].type, told[-1].sequence_number)
    await wait_until(lambda: [row for row in gateway.list_records() if row["outcome"] == "cancelled"])
    slow.allow(5)
    assert not stream or slow.disconnects.acquire(timeout=PATIENCE)


async def test_responses_that_cannot_be_cancelled(gateway: Gateway, client: openai.OpenAI, slow: SlowProvider) -> None:
    slow.allow()
    whole = client.responses.create(model="m", input="Hi")
    with pytest.raises(openai.BadRequestError, match="synchronous"):
        client.responses.cancel(whole.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.cancel("resp_none")
    slow.allow()
    begun = client.responses.create(model="m", input="Hi", background=True)
    done = await wait_for_end(client, begun.id)
    assert client.responses.cancel(begun.id) == done


async def test_only_its_key_can_use_it(gateway: Gateway, client: openai.OpenAI, slow: SlowProvider) -> None:
    made = json.loads(run_cli("keys", "create", "other", "--data", str(gateway.data), "--json").stdout)
    begun = client.responses.create(model="m", input="Hi", background=True, stream=True)
    name = next(iter(begun)).response.id
    with open_client(gateway, made["key"]) as other:
        await wait_until(lambda: _accepts_key(other))
        for ask in (other.responses.retrieve, other.responses.cancel, other.responses.delete):
            with pytest.raises(openai.NotFoundError):
                ask(name)
        with pytest.raises(openai.NotFoundError):
            other.responses.retrieve(name, stream=True)
        with pytest.raises(openai.BadRequestError) as caught:
            other.responses.create(model="m", input="More", previous_response_id=name)
        assert caught.value.code == "previous_response_not_found"
    begun.close()
    client.responses.cancel(name)


def _accepts_key(client: openai.OpenAI) -> bool:
    try:
        return bool(client.models.list().data)
    except openai.AuthenticationError:
        return False


async def test_deleted_while_it_is_made(client: openai.OpenAI, slow: SlowProvider) -> None:
    name = client.responses.create(model="m", input="Hi", background=True).id
    client.responses.delete(name)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(name)


@pytest.mark.parametrize("hard", [True, False])
async def test_the_end_of_the_gateway_is_reported(
    gateway: Gateway, slow: SlowProvider, tmp_path: Path, hard: bool
) -> None:
    with open_client(gateway) as client:
        unfinished = client.responses.create(model="m", input="Hi", background=True).id
        streamed = client.responses.create(model="m", input="Hi", background=True, stream=True)
        half = next(iter(streamed)).response.id
        streamed.close()
    if hard:
        gateway.kill()
        age_leases(gateway, LEASE_SECONDS - 2)
    else:
        assert gateway.stop() == 0
    again = Gateway(tmp_path)
    try:
        with open_client(again) as client:
            for name in (unfinished, half):
                # A killed owner cannot report its end, so the response counts as running until the lease expires.
                response = await wait_for_end(client, name, allow(2 + 2))
                assert (response.id, response.status) == (name, "failed")
                assert "stopped" in response.error.message
                assert client.responses.cancel(name).status == "failed"
                with pytest.raises(openai.APIError, match="stopped"):
                    list(client.responses.retrieve(name, stream=True))
                with pytest.raises(openai.BadRequestError):
                    client.responses.create(model="m", input="More", previous_response_id=name)
                client.responses.delete(name)
    finally:
        again.stop()
        if hard:
            gateway.process.returncode = 0  # this test killed it


async def test_a_response_that_is_too_large_is_failed(client: openai.OpenAI, slow: SlowProvider) -> None:
    begun = client.responses.create(model="slow/big", input="Hi", background=True)
    slow.allow()
    failed = await wait_for_end(client, begun.id)
    assert (failed.status, failed.output) == ("failed", [])
    assert "larger than 4 MiB" in failed.error.message


async def test_a_stop_gives_it_time_to_end(slow: SlowProvider, tmp_path: Path) -> None:
    providers = {"slow": {"kind": "openai-compatible", "base_url": slow.url}}
    running = Gateway(tmp_path, {"server": {"drain": 15}, "providers": providers})
    try:
        with open_client(running) as client:
            name = client.responses.create(model="slow/m", input="Hi", background=True).id
        await wait_until(lambda: slow.requests)
        running.process.terminate()
        await wait_until(lambda: not _is_listening(running))
        slow.allow()
        assert running.process.wait(PATIENCE) == 0
        running.stop()
        running = Gateway(tmp_path)
        with open_client(running) as client:
            assert client.responses.retrieve(name).output_text == "Hello"
            name = client.responses.create(model="slow/m", input="Hi", background=True).id
        for _ in range(2):  # the second signal does not wait
            running.process.terminate()
            await wait_until(lambda: not _is_listening(running))
        running.stop()
        running = Gateway(tmp_path)
        with open_client(running) as client:
            assert (await wait_for_end(client, name, allow(LEASE_SECONDS + 2))).status == "failed"
    finally:
        running.stop()


def _is_listening(gateway: Gateway) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", gateway.port)) == 0


async def test_a_provider_that_fails(tmp_path: Path) -> None:
    models = {"cut": "sim/fault-cut-clean:after=3", "no": "sim/fault-status:code=500"}
    running = Gateway(tmp_path, {"models": models})
    try:
        with open_client(running) as client:
            for model in models:
                begun = client.responses.create(model=model, input="One two three four", background=True)
                failed = await wait_for_end(client, begun.id)
                assert (failed.status, failed.error.code) == ("failed", "server_error")
                seen: list[Any] = []
                with pytest.raises(openai.APIError):
                    seen.extend(client.responses.create(model=model, input="One two", background=True, stream=True))
    finally:
        assert running.stop() == 0
        assert "Traceback" not in running.output, running.output


async def test_targets_of_the_same_wire_that_store_none(tmp_path: Path) -> None:
    running = Gateway(tmp_path, {"models": {"echo": "sim/echo"}})
    try:
        with open_client(running) as client:
            begun = client.responses.create(model="echo", input="One two", background=True)
            assert (await wait_for_end(client, begun.id)).output_text == "One two"
            events = list(client.responses.create(model="echo", input="One two", background=True, stream=True))
            assert [event.sequence_number for event in events] == list(range(len(events)))
            name = events[0].response.id
            assert events[-1].response.id == name
            again = list(client.responses.retrieve(name, stream=True))
            assert [event.type for event in again] == [event.type for event in events]
            after = client.responses.create(model="echo", input="Three", previous_response_id=name)
            assert after.usage.input_tokens > events[-1].response.usage.input_tokens
    finally:
        assert running.stop() == 0
        assert "Traceback" not in running.output, running.output


async def test_requests_that_are_refused_at_once(gateway: Gateway, client: openai.OpenAI) -> None:
    before = len(gateway.list_records())
    for fields, param in (
        ({"store": False}, "store"),
        ({"conversation": "conv_1"}, "conversation"),
        ({"prompt": {"id": "pmpt_1"}}, "prompt"),
        ({"tools": [{"type": "web_search"}]}, "tools"),
    ):
        with pytest.raises(openai.BadRequestError) as caught:
            client.responses.create(model="m", input="Hi", background=True, **fields)
        assert caught.value.param == param
    assert len(gateway.list_records()) == before


async def test_their_number_is_limited(gateway: Gateway, client: openai.OpenAI, slow: SlowProvider) -> None:
    body = {"model": "m", "input": "Hi", "background": True}
    for _ in range(64):
        answer = await post(gateway.port, "/v1/responses", body, gateway.key)
        assert answer.status == 200
    refused = await post(gateway.port, "/v1/responses", body, gateway.key)
    assert (refused.status, refused.json["error"]["code"]) == (429, "too_many_background_responses")
    assert int(refused.headers["retry-after"]) > 0
    client.responses.cancel(answer.json["id"])
    assert (await post(gateway.port, "/v1/responses", body, gateway.key)).status == 200
