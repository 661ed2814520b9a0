"""A new configuration while calls run: they keep theirs, later ones get the new one."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from antiphon.errors import ModelNotFound
from engine.conftest import Provider, ask, frame, load


def configure(provider: Provider, model: str, **more: Any) -> dict[str, Any]:
    return {
        "providers": {"up": {"kind": "openai-compatible", "base_url": provider.url}},
        "models": {model: "up/real"},
        **more,
    }


async def test_an_open_stream_keeps_its_configuration(start_runtime: Any, providers: Any, tmp_path: Path) -> None:
    old, new = providers
    go_on = asyncio.Event()

    async def stream(writer: asyncio.StreamWriter) -> None:
        await old.begin_stream(writer)
        writer.write(frame("one"))
        await go_on.wait()
        await asyncio.sleep(0.15)
        writer.write(frame("two") + frame(finish="stop") + b"data: [DONE]\n\n")
        writer.close()

    old.answer = stream
    runtime = await start_runtime(configure(old, "m", server={"heartbeat": 0.05}))
    answer = await ask(runtime, stream=True)
    assert answer.stream is not None
    received = [await answer.stream.next()]
    services = runtime.services
    runtime.replace_catalog(load(tmp_path, configure(new, "n", server={"heartbeat": 60})))
    assert runtime.services is not services
    # A later call finds the new models at the new provider, and the old ones no more.
    later = await ask(runtime, "n")
    assert json.loads(later.body or b"")["choices"][0]["message"]["content"] == "Hello"
    assert [len(provider.asked) for provider in (old, new)] == [1, 1]
    with pytest.raises(ModelNotFound):
        await ask(runtime, "m")
    # The open stream goes on at its provider, with the heartbeat that it began with, to its complete end.
    go_on.set()
    while frames := await answer.stream.next():
        received.append(frames)
    answer.stream.close()
    text = b"".join(received)
    assert b"one" in text
    assert b"two" in text
    assert b": keep-alive" in text
    assert text.endswith(b"data: [DONE]\n\n")
    assert answer.record is not None
    assert (answer.record.outcome, answer.record.model) == ("success", "m")


async def test_transports_are_shared_until_their_settings_change(
    start_runtime: Any, providers: Any, tmp_path: Path
) -> None:
    import trustme

    provider = providers[0]
    runtime = await start_runtime(configure(provider, "m"))
    await ask(runtime)
    transports = runtime.services.transports
    runtime.replace_catalog(load(tmp_path, configure(provider, "m", server={"heartbeat": 5})))
    assert runtime.services.transports is transports
    authority = tmp_path / "authority.pem"
    trustme.CA().cert_pem.write_to_path(str(authority))
    runtime.replace_catalog(load(tmp_path, configure(provider, "m", tls={"ca_file": str(authority)})))
    assert runtime.services.transports is not transports
    assert (await ask(runtime)).status == 200


async def test_a_later_configuration_decides_what_a_record_that_fails_means(
    start_runtime: Any, providers: Any, tmp_path: Path
) -> None:
    runtime = await start_runtime(configure(providers[0], "m", on_journal_full="serve"))
    before = runtime.services
    runtime.replace_catalog(load(tmp_path, configure(providers[0], "m", on_journal_full="refuse")))
    assert (before.settings.on_journal_full, runtime.services.settings.on_journal_full) == ("serve", "refuse")
    assert before.telemetry is runtime.services.telemetry
