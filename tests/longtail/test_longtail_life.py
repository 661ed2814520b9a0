"""LiteLLM's processes in trouble: crashes, hangs, too many calls, the gateway's end, and what others can see."""

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
from antiphon.longtail.environment import Environment, get_environment
from antiphon.longtail.supervisor_files import iterate_running
from antiphon.longtail.transport import LongtailTransport
from antiphon.longtail.worker_slot import RestartPolicy
from antiphon.runtime import TRANSPORTS
from longtail.conftest import RuntimeClient, make_runtime, read_events
from longtail.provider import RecordingProvider, Reply, make_reply, make_stream
from processes import Gateway, allow, post, run_cli, wait_until

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(400)]  # the first one installs LiteLLM

PATIENCE = 60
"""Seconds to wait for a fact. It is generous because other processes may use every core."""
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
SHORT_PAUSES = RestartPolicy(first_pause=0.1)
"""Restarts soon; a healthy worker on a busy machine has the usual time to answer for its health."""
QUICK_HEALTH_CHECKS = RestartPolicy(first_pause=0.1, health_timeout=10.0, health_interval=0.3)
"""Asks soon; a worker that loads modules during its first call may need seconds to answer on a busy machine."""


def make_held_reply(hold: asyncio.Event) -> Reply:
    """Return the answer in two halves; the second is sent once ``hold`` is set."""
    text = json.dumps(ANSWER).encode()
    return Reply([text[:9], text[9:]], headers={"content-type": "application/json"}, hold=hold)


def make_direct_account(provider: RecordingProvider) -> dict[str, Any]:
    """Return the configuration of the same provider, reached without LiteLLM."""
    return {"kind": "openai-compatible", "base_url": f"{provider.url}/v1"}


@asynccontextmanager
async def run_client(
    folder: Path,
    provider: RecordingProvider,
    *,
    workers: int = 1,
    in_flight: int = 64,
    policy: RestartPolicy = SHORT_PAUSES,
) -> AsyncIterator[tuple[RuntimeClient, LongtailTransport]]:
    """A client of a new runtime, and the runtime's transport to LiteLLM."""
    account = {"via": "litellm", "base_url": f"{provider.url}/v1", "api_key": "sk-life-secret-1234"}
    runtime = make_runtime(folder, {"providers": {"openai": account, "direct": make_direct_account(provider)}})
    transport = LongtailTransport(
        data=str(folder / "data"), longtail_workers=workers, longtail_in_flight=in_flight, policy=policy
    )
    runtime.services.transports._made[TRANSPORTS["longtail"]] = transport
    await runtime.start()
    try:
        yield RuntimeClient(runtime), transport
    finally:
        await runtime.close()


def list_workers(environment: Environment, pid: int | None = None) -> list[int]:
    """Return the process numbers of the workers that a process supervises; by default this process."""
    entries = [entry for _, entry in iterate_running(environment.root) if entry.pid == (pid or os.getpid())]
    return [worker for entry in entries for worker in entry.workers]


def is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


async def wait_until_ready(transport: LongtailTransport, count: int) -> None:
    await wait_until(
        lambda: [worker["state"] for worker in transport.read_health()["workers"]].count("ready") == count, PATIENCE
    )


async def test_a_crash_harms_only_its_own_calls(installed: Environment, provider: RecordingProvider, tmp_path: Path):
    before = set(list_workers(installed))
    async with run_client(tmp_path, provider, workers=2) as (client, transport):
        provider.choose_reply = lambda _: make_reply(ANSWER)
        await client.chat("openai/m")
        await wait_until_ready(transport, 2)
        first, second = (pid for pid in list_workers(installed) if pid not in before)
        hold = asyncio.Event()
        provider.choose_reply = lambda _: make_held_reply(hold)
        calls = [asyncio.ensure_future(client.chat("openai/m")) for _ in range(6)]
        await wait_until(lambda: provider.open_requests == 6, PATIENCE)
        os.kill(first, signal.SIGKILL)
        await wait_until(lambda: sum(call.done() for call in calls) == 3, PATIENCE)
        hold.set()
        results = await asyncio.gather(*calls, return_exceptions=True)
        failures = [result for result in results if isinstance(result, BaseException)]
        assert len(failures) == 3
        assert all(isinstance(failure, Disconnected) for failure in failures)
        await wait_until(
            lambda: [worker["restarts"] for worker in transport.read_health()["workers"]].count(1) == 1, PATIENCE
        )
        assert not is_gone(second)
        provider.choose_reply = lambda _: make_reply(ANSWER)
        assert (await client.chat("openai/m"))["choices"]
        await wait_until_ready(transport, 2)
        assert [worker["restarts"] for worker in transport.read_health()["workers"]].count(1) == 1
        assert sum(worker["in_flight"] for worker in transport.read_health()["workers"]) == 0


async def test_after_the_only_process_dies_the_next_call_waits_for_another(
    installed: Environment, provider: RecordingProvider, tmp_path: Path
):
    before = set(list_workers(installed))
    async with run_client(tmp_path, provider) as (client, transport):
        provider.choose_reply = lambda _: make_reply(ANSWER)
        await client.chat("openai/m")
        (pid,) = set(list_workers(installed)) - before
        provider.choose_reply = lambda _: make_held_reply(asyncio.Event())
        provider.requests.clear()
        call = asyncio.ensure_future(client.chat("openai/m"))
        await wait_until(lambda: provider.open_requests == 1, PATIENCE)
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(Disconnected):
            await call
        assert len(provider.requests) == 1  # a call over a kept connection is not sent, and paid, twice
        provider.choose_reply = lambda _: make_reply(ANSWER)
        assert (await client.chat("openai/m"))["choices"]
        assert len(provider.requests) == 2
        assert transport.read_health()["workers"][0]["restarts"] == 1


async def test_a_crash_in_the_middle_of_a_stream_is_reported_without_our_paths(
    installed: Environment, provider: RecordingProvider, tmp_path: Path
):
    before = set(list_workers(installed))
    async with run_client(tmp_path, provider) as (client, _):
        chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
        chunk |= {"choices": [{"index": 0, "delta": {"role": "assistant", "content": "Hi"}}]}
        provider.choose_reply = lambda _: make_stream(chunk, chunk, hold=asyncio.Event())
        answer = await client.start_stream("openai/m")
        (pid,) = set(list_workers(installed)) - before
        os.kill(pid, signal.SIGKILL)
        *events, last = await read_events(answer)
        assert events[0]["choices"][0]["delta"]["content"] == "Hi"
        assert last["error"]["message"] == "The answer of LiteLLM broke off before its end."


async def test_a_hang_ends_in_time_and_other_calls_continue(
    installed: Environment, provider: RecordingProvider, tmp_path: Path
):
    before = set(list_workers(installed))
    account = {"via": "litellm", "base_url": f"{provider.url}/v1", "api_key": "k" * 20}
    providers = {"openai": account, "direct": make_direct_account(provider)}
    async with run_client(tmp_path, provider, policy=QUICK_HEALTH_CHECKS) as (client, transport):
        provider.choose_reply = lambda _: make_reply(ANSWER)
        await client.chat("openai/m")
        (pid,) = set(list_workers(installed)) - before
        impatient = make_runtime(tmp_path, {"providers": providers, "timeouts": {"first_output": 0.5}})
        client.runtime.replace_catalog(impatient.catalog)
        os.kill(pid, signal.SIGSTOP)
        started = time.monotonic()
        hanging = asyncio.ensure_future(client.chat("openai/m"))
        await asyncio.sleep(0)
        assert (await client.chat("direct/m"))["choices"]
        with pytest.raises(UpstreamTimeout) as caught:
            await hanging
        assert caught.value.phase == "first_output"
        assert 0.4 < time.monotonic() - started < allow(1.0)  # the deadline, and the promised half second
        assert not is_gone(pid)  # the call's own deadline ended it, not the end of the process
        # While a call with more time waits, the process is asked for its health; it is killed because it stays silent.
        client.runtime.replace_catalog(make_runtime(tmp_path, {"providers": providers}).catalog)
        with pytest.raises(Disconnected):
            await client.chat("openai/m")
        assert is_gone(pid)
        assert (await client.chat("openai/m"))["choices"]
        assert transport.read_health()["workers"][0]["restarts"] == 1


async def test_a_provider_that_hangs_harms_no_other_call(
    installed: Environment, provider: RecordingProvider, tmp_path: Path
):
    async with run_client(tmp_path, provider) as (client, transport):
        provider.choose_reply = lambda request: Reply(None) if b"hang" in request.raw else make_reply(ANSWER)
        await client.chat("openai/m")
        hanging = asyncio.ensure_future(client.chat("openai/hang"))
        await wait_until(lambda: provider.open_requests == 1, PATIENCE)
        assert (await client.chat("openai/m"))["choices"]
        hanging.cancel()
        await asyncio.gather(hanging, return_exceptions=True)
        await wait_until(lambda: provider.open_requests == 0, PATIENCE)
        assert transport.read_health()["workers"][0] == {"state": "ready", "restarts": 0, "in_flight": 0}


async def test_calls_over_the_limit_are_told_when_to_come_back(
    installed: Environment, provider: RecordingProvider, tmp_path: Path
):
    async with run_client(tmp_path, provider, in_flight=2) as (client, transport):
        hold = asyncio.Event()
        provider.choose_reply = lambda _: make_held_reply(hold)
        calls = [asyncio.ensure_future(client.chat("openai/m")) for _ in range(5)]
        await wait_until(lambda: sum(call.done() for call in calls) == 3, PATIENCE)
        await wait_until(lambda: provider.open_requests == 2, PATIENCE)
        hold.set()
        results = await asyncio.gather(*calls, return_exceptions=True)
        rejections = [result for result in results if isinstance(result, UpstreamStatus)]
        assert len(rejections) == 3  # the other two waited for the process to start
        for error in rejections:
            assert (error.status, error.retry_after, error.retryable) == (503, 1.0, True)
            assert json.loads(error.body)["error"]["code"] == "longtail_busy"
        assert transport.read_health()["workers"][0]["in_flight"] == 0


async def test_a_process_that_never_starts_is_rested(
    provider: RecordingProvider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "xdg"))
    broken = get_environment(tmp_path / "data" / "longtail")
    broken.python.parent.mkdir(parents=True)
    broken.python.symlink_to("/bin/false")
    (broken.folder / "complete").touch()
    async with run_client(tmp_path, provider) as (client, transport):
        with pytest.raises(UpstreamStatus) as caught:
            await client.chat("openai/m")
        assert caught.value.status == 503
        assert caught.value.retry_after is not None
        await wait_until(lambda: transport.read_health()["workers"][0]["restarts"] >= 4, PATIENCE)
        assert transport.read_health()["workers"][0]["state"] in ("resting", "starting")


async def test_without_an_installation_the_error_names_the_command(
    provider: RecordingProvider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "nowhere"))
    async with run_client(tmp_path, provider) as (client, _):
        with pytest.raises(ConnectFailed, match="LiteLLM is not installed; run `antiphon longtail install`"):
            await client.chat("openai/m")
        (tmp_path / "nowhere" / "antiphon" / "longtail" / "venv" / "older").mkdir(parents=True)
        with pytest.raises(ConnectFailed, match="not the pinned one of this version; run `antiphon longtail install`"):
            await client.chat("openai/m")
    assert provider.requests == []


async def test_nobody_sees_a_secret_or_a_prompt(
    installed: Environment,
    provider: RecordingProvider,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: Any,
):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-environment")
    before = set(list_workers(installed))
    async with run_client(tmp_path, provider) as (client, _):
        provider.choose_reply = lambda _: make_reply({"error": {"message": f"{PROMPT} sk-life-secret-1234"}}, 400)
        with pytest.raises(UpstreamStatus):
            await client.chat("openai/m", messages=MESSAGES)
        provider.choose_reply = lambda _: Reply(b"<html>no", headers={"content-type": "text/html"})
        with pytest.raises(UpstreamStatus):
            await client.chat("openai/m", messages=MESSAGES)
        (pid,) = set(list_workers(installed)) - before
        process = psutil.Process(pid)
        (entry,) = [path for path, item in iterate_running(installed.root) if pid in item.workers]

        def read_logs() -> str:
            return "".join(path.read_text("utf-8") for path in entry.parent.glob(f"{entry.stem}*.log*"))

        await wait_until(lambda: read_logs().count("acompletion answered with") == 2, PATIENCE)
        log = read_logs()
        data = {str(path): path.read_bytes() for path in (tmp_path / "data").rglob("*") if path.is_file()}
        visible = f"{process.cmdline()} {process.environ()} {log} {entry.read_text()} {data} {capfd.readouterr()}"
        for secret in (PROMPT, "sk-life-secret-1234", "sk-of-the-environment"):
            assert secret not in visible
        socket = next(item.laddr for item in process.net_connections("unix") if str(item.laddr).endswith(".sock"))
        assert Path(str(socket)).parent.stat().st_mode & 0o777 == 0o700
        with_secret = f"GET /health HTTP/1.1\r\nhost: x\r\nx-longtail-secret: {'x' * 43}\r\n\r\n"
        for request in ("GET /health HTTP/1.1\r\nhost: x\r\n\r\n", with_secret):
            reader, writer = await asyncio.open_unix_connection(str(socket))
            writer.write(request.encode())
            assert b" 401 " in await reader.readline()
            writer.transport.abort()
    assert not Path(str(socket)).parent.exists()
    assert is_gone(pid)


# -- with a gateway -------------------------------------------------------------------------------------------------


def start_gateway(folder: Path, provider: RecordingProvider) -> Gateway:
    account = {"via": "litellm", "base_url": f"{provider.url}/v1", "api_key": "sk-life-secret-1234"}
    return Gateway(folder, {"providers": {"openai": account}, "server": {"drain": 2}})


async def chat(gateway: Gateway) -> Any:
    body = {"model": "openai/m", "messages": MESSAGES}
    answer = await post(gateway.port, "/v1/chat/completions", body, gateway.key)
    assert answer.status == 200, answer.body
    return answer


async def get_health(gateway: Gateway) -> dict[str, Any]:
    import urllib.request

    def get() -> dict[str, Any]:
        with urllib.request.urlopen(f"http://127.0.0.1:{gateway.port}/health/ready", timeout=PATIENCE) as answer:
            health: dict[str, Any] = json.load(answer)
            return health

    return await asyncio.to_thread(get)


async def test_a_gateways_processes_are_shown_stopped_and_started_again(
    installed: Environment, provider: RecordingProvider, tmp_path: Path
):
    provider.choose_reply = lambda _: make_reply(ANSWER)
    gateway = await asyncio.to_thread(start_gateway, tmp_path, provider)
    try:
        assert "longtail" not in await get_health(gateway)
        assert gateway.list_workers() == []
        answer = await chat(gateway)
        assert answer.headers["x-antiphon-target"] == "openai/m"
        assert (await get_health(gateway))["longtail"]["workers"] == [{"state": "ready", "restarts": 0, "in_flight": 0}]
        sound = b"sound" * 1000
        provider.choose_reply = lambda _: Reply(sound, headers={"content-type": "audio/mpeg"})
        speech = {"model": "openai/tts-1", "input": "Hello", "voice": "alloy"}
        answer = await post(gateway.port, "/v1/audio/speech", speech, gateway.key)
        assert (answer.status, answer.headers["content-type"]) == (200, "audio/mpeg")
        assert answer.body == sound
        provider.choose_reply = lambda _: make_reply({"error": {"message": "no", "type": "t"}}, 429, retry_after="7")
        images = {"model": "openai/dall-e-2", "prompt": "a cat"}
        answer = await post(gateway.port, "/v1/images/generations", images, gateway.key)
        assert (answer.status, answer.headers["retry-after"]) == (429, "7")
        assert answer.json["error"]["code"] == "RateLimitError"
        provider.choose_reply = lambda _: make_reply(ANSWER)
        (pid,) = list_workers(installed, gateway.process.pid)
        status = json.loads((await asyncio.to_thread(run_cli, "longtail", "status", "--json")).stdout)
        (entry,) = [item for item in status["environments"][0]["running"] if item["pid"] == gateway.process.pid]
        assert entry["workers"] == [pid]
        await asyncio.to_thread(run_cli, "longtail", "stop", "--json")
        assert is_gone(pid)
        assert (await get_health(gateway))["longtail"]["workers"][0]["state"] == "stopped"
        assert list_workers(installed, gateway.process.pid) == []
        await chat(gateway)
        (second,) = list_workers(installed, gateway.process.pid)
        assert second != pid
        assert await asyncio.to_thread(gateway.stop) == 0
        assert is_gone(second)
        assert list_workers(installed, gateway.process.pid) == []
    finally:
        await asyncio.to_thread(gateway.stop)


async def test_a_gateway_that_is_killed_takes_its_processes_along(
    installed: Environment, provider: RecordingProvider, tmp_path: Path
):
    provider.choose_reply = lambda _: make_reply(ANSWER)
    gateway = await asyncio.to_thread(start_gateway, tmp_path, provider)
    try:
        await chat(gateway)
        (pid,) = list_workers(installed, gateway.process.pid)
    finally:
        await asyncio.to_thread(gateway.kill)
    await wait_until(lambda: is_gone(pid), PATIENCE)
    assert list_workers(installed, gateway.process.pid) == []
