"""LiteLLM's processes when things go wrong: crash, hang, too much, an end of the gateway, and what others can see."""

import asyncio
import json
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from antiphon.errors import ConnectFailed, Disconnected, UpstreamStatus, UpstreamTimeout
from antiphon.longtail.environment import Environment, environment
from antiphon.longtail.runs import running
from antiphon.longtail.slot import Pace
from antiphon.longtail.transport import LongtailTransport
from antiphon.runtime import TRANSPORTS
from living import Gateway, cli, eventually, post
from longtail.conftest import Asker, configured
from longtail.far import Far, Reply, events, reply

pytestmark = pytest.mark.asyncio(loop_scope="session")

PROMPT = "the prompt nobody else may read"
MESSAGES = [{"role": "user", "content": PROMPT}]
ANSWER = {
    "id": "c",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4},
}
QUICK = Pace(patience=1.0, interval=0.3, pause=0.1)


def slow(seconds: float) -> Reply:
    """Return the answer in two halves, with time between them."""
    text = json.dumps(ANSWER).encode()
    return Reply([text[:9], text[9:]], headers={"content-type": "application/json"}, pause=seconds)


def direct(far: Far) -> dict[str, Any]:
    """The same provider without LiteLLM between."""
    return {"kind": "openai-compatible", "base_url": f"{far.url}/v1"}


@asynccontextmanager
async def asking(
    folder: Path, far: Far, *, workers: int = 1, in_flight: int = 64, data: Path | None = None, **config: Any
) -> AsyncIterator[tuple[Asker, LongtailTransport]]:
    """A runtime with a transport of its own, whose supervisor is impatient."""
    provider = {"via": "litellm", "base_url": f"{far.url}/v1", "api_key": "sk-life-secret-1234"}
    runtime = configured(folder, {"providers": {"openai": provider, "direct": direct(far)}, **config})
    transport = LongtailTransport(
        data=str(data or folder / "data"), longtail_workers=workers, longtail_in_flight=in_flight, pace=QUICK
    )
    runtime.services.transports._made[TRANSPORTS["longtail"]] = transport
    await runtime.start()
    try:
        yield Asker(runtime), transport
    finally:
        await runtime.close()


def workers(environment: Environment, pid: int | None = None) -> list[int]:
    found = [run for _, run in running(environment.root) if run.pid == (pid or os.getpid())]
    return [worker for run in found for worker in run.workers]


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


async def ready(transport: LongtailTransport, count: int) -> None:
    await eventually(
        lambda: [each["state"] for each in transport.health()["workers"]].count("ready") == count or transport.health(),
        60,
    )
    while [each["state"] for each in transport.health()["workers"]].count("ready") < count:
        await asyncio.sleep(0.05)


async def test_a_crash_harms_only_its_own_calls(installed: Environment, fresh: Far, tmp_path: Path):
    before = set(workers(installed))
    async with asking(tmp_path, fresh, workers=2) as (asker, transport):
        fresh.answers = lambda _: reply(ANSWER)
        await asker.chat("openai/m")
        await ready(transport, 2)
        first, second = (pid for pid in workers(installed) if pid not in before)
        fresh.answers = lambda _: slow(1.0)
        calls = [asyncio.ensure_future(asker.chat("openai/m")) for _ in range(6)]
        await eventually(lambda: fresh.open == 6, 5)
        os.kill(first, signal.SIGKILL)
        results = await asyncio.gather(*calls, return_exceptions=True)
        failed = [each for each in results if isinstance(each, BaseException)]
        assert len(failed) == 3
        assert all(isinstance(each, Disconnected) for each in failed)
        assert [each["restarts"] for each in transport.health()["workers"]].count(1) == 1
        assert not gone(second)
        fresh.answers = lambda _: reply(ANSWER)
        assert (await asker.chat("openai/m"))["choices"]
        await ready(transport, 2)
        assert sum(each["in_flight"] for each in transport.health()["workers"]) == 0


async def test_the_only_process_dies_and_the_next_call_waits_for_another(
    installed: Environment, fresh: Far, tmp_path: Path
):
    before = set(workers(installed))
    async with asking(tmp_path, fresh) as (asker, transport):
        fresh.answers = lambda _: reply(ANSWER)
        await asker.chat("openai/m")
        (pid,) = set(workers(installed)) - before
        fresh.answers = lambda _: slow(1.0)
        fresh.seen.clear()
        call = asyncio.ensure_future(asker.chat("openai/m"))
        await eventually(lambda: fresh.open == 1, 5)
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(Disconnected):
            await call
        assert len(fresh.seen) == 1  # a call over a kept connection is not sent, and paid, twice
        assert (await asker.chat("openai/m"))["choices"]
        assert len(fresh.seen) == 2
        assert transport.health()["workers"][0]["restarts"] == 1


async def test_a_crash_in_the_middle_of_a_stream_is_told_without_our_paths(
    installed: Environment, fresh: Far, tmp_path: Path
):
    before = set(workers(installed))
    async with asking(tmp_path, fresh) as (asker, _):
        chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
        piece = {**chunk, "choices": [{"index": 0, "delta": {"role": "assistant", "content": "Hi"}}]}
        fresh.answers = lambda _: events(*[piece] * 50, pause=0.1)
        call = asyncio.ensure_future(asker.frames("openai/m"))
        await eventually(lambda: fresh.open == 1, 60)
        await asyncio.sleep(0.5)  # it has begun
        (pid,) = set(workers(installed)) - before
        os.kill(pid, signal.SIGKILL)
        *told, last = await call
        assert told[0]["choices"][0]["delta"]["content"] == "Hi"
        assert last["error"]["message"] == "The answer of LiteLLM broke off before its end."


async def test_a_hang_ends_in_time_and_others_go_on(installed: Environment, fresh: Far, tmp_path: Path):
    before = set(workers(installed))
    async with asking(tmp_path, fresh) as (asker, transport):
        fresh.answers = lambda _: reply(ANSWER)
        await asker.chat("openai/m")
        (pid,) = set(workers(installed)) - before
        impatient = configured(
            tmp_path,
            {
                "providers": {
                    "openai": {"via": "litellm", "base_url": f"{fresh.url}/v1", "api_key": "k" * 20},
                    "direct": direct(fresh),
                },
                "timeouts": {"first_output": 0.5},
            },
        )
        asker.runtime.replace_catalog(impatient.catalog)
        os.kill(pid, signal.SIGSTOP)
        started = time.monotonic()
        hanging = asyncio.ensure_future(asker.chat("openai/m"))
        await asyncio.sleep(0)
        assert (await asker.chat("direct/m"))["choices"]
        with pytest.raises(UpstreamTimeout) as caught:
            await hanging
        assert caught.value.phase == "first_output"
        assert 0.4 < time.monotonic() - started < 2.0
        # A call that is given more time keeps it asked for its health; silence ends it.
        patient = configured(
            tmp_path, {"providers": {"openai": {"via": "litellm", "base_url": f"{fresh.url}/v1", "api_key": "k" * 20}}}
        )
        asker.runtime.replace_catalog(patient.catalog)
        with pytest.raises(Disconnected):
            await asker.chat("openai/m")
        assert gone(pid)
        assert (await asker.chat("openai/m"))["choices"]
        assert transport.health()["workers"][0]["restarts"] == 1


async def test_a_provider_that_hangs_costs_nobody_else(installed: Environment, fresh: Far, tmp_path: Path):
    async with asking(tmp_path, fresh) as (asker, transport):
        fresh.answers = lambda seen: Reply(None) if "hang" in seen.raw.decode() else reply(ANSWER)
        await asker.chat("openai/m")
        hanging = asyncio.ensure_future(asker.chat("openai/hang"))
        await eventually(lambda: fresh.open == 1, 5)
        assert (await asker.chat("openai/m"))["choices"]
        hanging.cancel()
        await asyncio.gather(hanging, return_exceptions=True)
        await eventually(lambda: fresh.open == 0, 0.5)
        assert transport.health()["workers"][0] == {"state": "ready", "restarts": 0, "in_flight": 0}


async def test_more_calls_than_allowed_are_told_when_to_come_back(installed: Environment, fresh: Far, tmp_path: Path):
    async with asking(tmp_path, fresh, in_flight=2) as (asker, transport):
        fresh.answers = lambda _: slow(0.5)
        calls = [asyncio.ensure_future(asker.chat("openai/m")) for _ in range(5)]
        results = await asyncio.gather(*calls, return_exceptions=True)
        refused = [each for each in results if isinstance(each, UpstreamStatus)]
        assert len(refused) == 3  # while the process was being started, the other two waited
        for error in refused:
            assert (error.status, error.retry_after, error.retryable) == (503, 1.0, True)
            assert json.loads(error.body)["error"]["code"] == "longtail_busy"
        assert transport.health()["workers"][0]["in_flight"] == 0


async def test_a_process_that_never_comes_up_is_rested(fresh: Far, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "xdg"))
    broken = environment(tmp_path / "data" / "longtail")
    broken.python.parent.mkdir(parents=True)
    broken.python.symlink_to("/bin/false")
    (broken.folder / "complete").touch()
    async with asking(tmp_path, fresh) as (asker, transport):
        with pytest.raises(UpstreamStatus) as caught:
            await asker.chat("openai/m")
        assert caught.value.status == 503
        assert caught.value.retry_after is not None
        await eventually(lambda: transport.health()["workers"][0]["restarts"] >= 4, 10)
        assert transport.health()["workers"][0]["state"] in ("resting", "starting")


async def test_without_an_installation_the_error_says_how(fresh: Far, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "nowhere"))
    async with asking(tmp_path, fresh) as (asker, _):
        with pytest.raises(ConnectFailed, match="LiteLLM is not installed; run `antiphon longtail install`"):
            await asker.chat("openai/m")
        (tmp_path / "nowhere" / "antiphon" / "longtail" / "venv" / "older").mkdir(parents=True)
        with pytest.raises(ConnectFailed, match="not the pinned one of this version; run `antiphon longtail install`"):
            await asker.chat("openai/m")
    assert fresh.seen == []


async def test_nobody_sees_a_secret_or_a_prompt(
    installed: Environment, fresh: Far, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Any
):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-environment")
    before = set(workers(installed))
    async with asking(tmp_path, fresh) as (asker, _):
        fresh.answers = lambda _: reply({"error": {"message": f"{PROMPT} sk-life-secret-1234"}}, 400)
        with pytest.raises(UpstreamStatus):
            await asker.chat("openai/m", messages=MESSAGES)
        fresh.answers = lambda _: Reply(b"<html>no", headers={"content-type": "text/html"})
        with pytest.raises(UpstreamStatus):
            await asker.chat("openai/m", messages=MESSAGES)
        (pid,) = set(workers(installed)) - before
        process = psutil.Process(pid)
        (entry,) = [path for path, run in running(installed.root) if pid in run.workers]
        logs = list(entry.parent.glob(f"{entry.stem}*.log*"))
        assert logs
        log = "".join(path.read_text("utf-8") for path in logs)
        assert "acompletion answered with" in log
        kept = {str(path): path.read_bytes() for path in (tmp_path / "data").rglob("*") if path.is_file()}
        seen = f"{process.cmdline()} {process.environ()} {log} {entry.read_text()} {kept} {capfd.readouterr()}"
        for secret in (PROMPT, "sk-life-secret-1234", "sk-of-the-environment"):
            assert secret not in seen
        socket = next(each.laddr for each in process.net_connections("unix") if str(each.laddr).endswith(".sock"))
        assert Path(str(socket)).parent.stat().st_mode & 0o777 == 0o700
        with_secret = f"GET /health HTTP/1.1\r\nhost: x\r\nx-longtail-secret: {'x' * 43}\r\n\r\n"
        for request in ("GET /health HTTP/1.1\r\nhost: x\r\n\r\n", with_secret):
            reader, writer = await asyncio.open_unix_connection(str(socket))
            writer.write(request.encode())
            assert b" 401 " in await reader.readline()
            writer.transport.abort()
    assert not Path(str(socket)).parent.exists()
    assert gone(pid)


# -- beside a gateway -------------------------------------------------------------------------------------------------


def gateway(folder: Path, far: Far) -> Gateway:
    provider = {"via": "litellm", "base_url": f"{far.url}/v1", "api_key": "sk-life-secret-1234"}
    return Gateway(folder, {"providers": {"openai": provider}, "server": {"drain": 2}})


async def asked(served: Gateway) -> Any:
    body = {"model": "openai/m", "messages": MESSAGES}
    answer = await post(served.port, "/v1/chat/completions", body, served.key)
    assert answer.status == 200, answer.body
    return answer


async def health(served: Gateway) -> dict[str, Any]:
    import urllib.request

    def get() -> dict[str, Any]:
        with urllib.request.urlopen(f"http://127.0.0.1:{served.port}/health/ready", timeout=5) as answer:
            found: dict[str, Any] = json.load(answer)
            return found

    return await asyncio.to_thread(get)


async def test_a_gateways_processes_are_seen_stopped_and_started_again(
    installed: Environment, fresh: Far, tmp_path: Path
):
    fresh.answers = lambda _: reply(ANSWER)
    served = await asyncio.to_thread(gateway, tmp_path, fresh)
    try:
        assert "longtail" not in await health(served)
        assert served.workers() == []
        answer = await asked(served)
        assert answer.headers["x-antiphon-target"] == "openai/m"
        assert (await health(served))["longtail"]["workers"] == [{"state": "ready", "restarts": 0, "in_flight": 0}]
        sound = b"sound" * 1000
        fresh.answers = lambda _: Reply(sound, headers={"content-type": "audio/mpeg"})
        speech = {"model": "openai/tts-1", "input": "Hello", "voice": "alloy"}
        answer = await post(served.port, "/v1/audio/speech", speech, served.key)
        assert (answer.status, answer.headers["content-type"]) == (200, "audio/mpeg")
        assert answer.body == sound
        fresh.answers = lambda _: reply({"error": {"message": "no", "type": "t"}}, 429, retry_after="7")
        images = {"model": "openai/dall-e-2", "prompt": "a cat"}
        answer = await post(served.port, "/v1/images/generations", images, served.key)
        assert (answer.status, answer.headers["retry-after"]) == (429, "7")
        assert answer.json["error"]["code"] == "RateLimitError"
        fresh.answers = lambda _: reply(ANSWER)
        (pid,) = workers(installed, served.process.pid)
        status = json.loads((await asyncio.to_thread(cli, "longtail", "status", "--json")).stdout)
        (shown,) = [run for run in status["environments"][0]["running"] if run["pid"] == served.process.pid]
        assert shown["workers"] == [pid]
        await asyncio.to_thread(cli, "longtail", "stop", "--json")
        assert gone(pid)
        assert (await health(served))["longtail"]["workers"][0]["state"] == "stopped"
        assert workers(installed, served.process.pid) == []
        await asked(served)
        (second,) = workers(installed, served.process.pid)
        assert second != pid
        assert await asyncio.to_thread(served.stop) == 0
        assert gone(second)
        assert workers(installed, served.process.pid) == []
    finally:
        await asyncio.to_thread(served.stop)


async def test_a_gateway_that_is_killed_takes_its_processes_along(installed: Environment, fresh: Far, tmp_path: Path):
    fresh.answers = lambda _: reply(ANSWER)
    served = await asyncio.to_thread(gateway, tmp_path, fresh)
    try:
        await asked(served)
        (pid,) = workers(installed, served.process.pid)
    finally:
        await asyncio.to_thread(served.kill)
    await eventually(lambda: gone(pid), 3)
    assert workers(installed, served.process.pid) == []
