"""The clients against the real gateway in a process of its own, in front of simulated models."""

import asyncio
import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from antiphon import Antiphon, AsyncAntiphon, errors
from processes import PATIENCE


class Gateway:
    """Where a gateway listens, and its admin key."""

    def __init__(self, url: str, key: str, config: str) -> None:
        self.url, self.key, self.config = url, key, config


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    home = tmp_path_factory.mktemp("gateway")
    config = home / "antiphon.yaml"
    config.write_text(
        "version: 1\nmodels:\n  echo: sim/echo\n"
        "  doomed: {targets: [sim/fault-503], fallbacks: [sim/fault-500, sim/fault-502]}\n"
    )
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "antiphon", "serve", "--config", str(config), "--port", str(port)]
    log = (home / "log").open("wb")
    process = subprocess.Popen([*command, "--data", str(home / "data")], stdout=log, stderr=log, cwd=home)
    try:
        _wait(process, port, home / "log")
        yield Gateway(f"http://127.0.0.1:{port}", (home / "data" / "admin.key").read_text().strip(), str(config))
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE)
        log.close()


def _wait(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    due = time.monotonic() + PATIENCE
    while time.monotonic() < due:
        assert process.poll() is None, log.read_text()
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), PATIENCE) as probe:
            probe.sendall(b"GET /health/ready HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n")
            if probe.recv(64).startswith(b"HTTP/1.1 200"):
                return
        time.sleep(0.05)
    raise AssertionError(log.read_text())


@pytest.fixture
def remote(gateway: Gateway) -> Iterator[Antiphon]:
    with Antiphon(base_url=gateway.url, api_key=gateway.key) as client:
        yield client


def test_calls_to_a_gateway_work_as_in_process(remote: Antiphon, gateway: Gateway) -> None:
    with Antiphon(config=gateway.config) as local:
        for client in (remote, local):
            reply = client.chat("sim/echo", "Hello there", system="s")
            assert (reply.text, reply.target, reply.attempts) == ("Hello there", "sim/echo", 1)
            assert re.fullmatch("call_[0-9a-z]{26}", reply.call_id)
            stream = client.stream("echo", "Hello there")
            assert "".join(event.text for event in stream) == "Hello there"
            assert (stream.target, stream.attempts, stream.finish_reason) == ("sim/echo", 1, "stop")
            assert stream.usage is not None
            assert re.fullmatch("call_[0-9a-z]{26}", stream.call_id)
        assert remote.chat("echo", "x").usage == local.chat("echo", "x").usage
        assert remote.chat("echo", "x").cost == local.chat("echo", "x").cost
        assert remote.embed("sim/embed", ["a", "b"]).vectors == local.embed("sim/embed", ["a", "b"]).vectors
        assert remote.models() == local.models()


@pytest.mark.parametrize(
    "model",
    [
        "sim/fault-429:after=7", "sim/fault-500", "sim/fault-404", "sim/fault-reset", "sim/fault-html",
        "sim/fault-error-200", "sim/fault-cut", "sim/fault-cut-clean", "sim/fault-json", "sim/fault-error-midstream",
        "nothing/like-this", "", "sim/no-such",
    ],
)  # fmt: skip
def test_failures_are_the_same_as_in_process(remote: Antiphon, gateway: Gateway, model: str) -> None:
    def find_failure(client: Antiphon, streamed: bool) -> tuple[object, ...]:
        try:
            if streamed:
                list(client.stream(model, "x"))
            else:
                client.chat(model, "x")
        except errors.CallError as error:
            return type(error), error.status, error.code, error.retryable, error.retry_after, bool(error.call_id)
        return ("no failure",)

    with Antiphon(config=gateway.config) as local:
        for streamed in (False, True):
            here, there = find_failure(local, streamed), find_failure(remote, streamed)
            assert here[0] is there[0]
            if not streamed:
                assert here == there


def test_a_missing_or_wrong_key_is_refused(gateway: Gateway) -> None:
    for key in (None, "ap-wrong"):
        with Antiphon(base_url=gateway.url, api_key=key) as client:
            with pytest.raises(errors.Unauthorized):
                client.chat("sim/echo", "x")
            with pytest.raises(errors.Unauthorized):
                next(client.stream("sim/echo", "x"))


async def test_many_calls_at_once(gateway: Gateway) -> None:
    async with AsyncAntiphon(base_url=gateway.url, api_key=gateway.key) as client:
        replies = await asyncio.gather(*(client.chat("sim/echo", f"number {n}") for n in range(200)))
    assert [reply.text for reply in replies] == [f"number {n}" for n in range(200)]


def test_the_command_line_asks_a_server(gateway: Gateway) -> None:
    environment = {**os.environ, "ANTIPHON_API_KEY": gateway.key, "ANTIPHON_BASE_URL": gateway.url}
    command = [sys.executable, "-m", "antiphon", "ask", "Hello", "--model", "sim/echo"]
    run = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        env=environment,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert (run.returncode, run.stdout, run.stderr) == (0, "Hello\n", "")


@pytest.mark.parametrize("remote", [False, True], ids=["in process", "remote"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_an_error_names_the_targets_that_were_tried(gateway: Gateway, remote: bool, stream: bool) -> None:
    where = {"base_url": gateway.url, "api_key": gateway.key} if remote else {"config": gateway.config}
    with Antiphon(**where) as client, pytest.raises(errors.UpstreamStatus) as caught:
        if stream:
            list(client.stream("doomed", "x"))
        else:
            client.chat("doomed", "x")
    error = caught.value
    assert (error.status, error.attempts, error.target) == (502, 3, "sim/fault-502")
    assert error.call_id.startswith("call_")
