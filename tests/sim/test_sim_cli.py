"""``antiphon sim`` as a command."""

import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

COMMAND = [sys.executable, "-m", "antiphon", "sim"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_serves_until_a_signal(number: signal.Signals) -> None:
    with subprocess.Popen(COMMAND, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        url = process.stdout.readline().split()[-1]
        with urllib.request.urlopen(url + "/models") as answer:
            assert answer.status == 200
        process.send_signal(number)
        assert process.wait(10) == 0
        assert process.stderr.read() == ""


def test_faults_on_the_event_loop_of_the_command() -> None:
    with subprocess.Popen(COMMAND, stdout=subprocess.PIPE, text=True) as process:
        try:
            port = int(process.stdout.readline().split(":")[-1].partition("/")[0])
            assert receive(port, "fault-reset") == (0, "reset")
            assert receive(port, "fault-cut-at:bytes=777") == (777, "closed")
            assert receive(port, "fault-cut-at:bytes=777:reset=1") == (777, "reset")
            size, ended = receive(port, "fault-cut:after=2:reset=1")
            assert size > 500
            assert ended == "reset"
        finally:
            process.terminate()
        assert process.wait(10) == 0


def receive(port: int, model: str) -> tuple[int, str]:
    """Return the number of received bytes of a streamed answer, and how it ended."""
    body = b'{"model":"%s","stream":true,"messages":[{"role":"user","content":"x"}]}' % model.encode()
    with socket.create_connection(("127.0.0.1", port), 10) as client:
        head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n"
        client.sendall(head % len(body) + body)
        size = 0
        try:
            while data := client.recv(65536):
                size += len(data)
        except ConnectionResetError:
            return size, "reset"
        return size, "closed"


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--tps", "-1"], "--tps must be from 0 to 1000000"),
        (["--port", "70000"], "--port must be from 0 to 65535"),
        (["--script", "absent.yaml"], "absent.yaml: script: cannot be read"),
    ],
)
def test_bad_options(args: list[str], message: str, tmp_path: Path) -> None:
    done = subprocess.run([*COMMAND, *args], capture_output=True, text=True, timeout=30, cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_port_in_use() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = str(listener.getsockname()[1])
        done = subprocess.run([*COMMAND, "--port", port], capture_output=True, text=True, timeout=30)
    assert done.returncode == 1
    assert "cannot listen on 127.0.0.1" in done.stderr
