"""The life of the server process: its output, keys created while it runs, draining, and faults that prevent a start."""

import json
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import openai
import pytest

from processes import PATIENCE, Gateway, allow, clean_environ

HELLO = [{"role": "user", "content": "Hello there"}]


def _run_cli(*args: str, cwd: Path, timeout: float = PATIENCE) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "antiphon", *args],
        capture_output=True,
        text=True,
        env=clean_environ(),
        cwd=cwd,
        timeout=timeout,
        check=False,
    )


def _open_client(gateway: Gateway, key: str | None = None) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=key or gateway.key, max_retries=0, timeout=PATIENCE)


def _wait_for_exit(gateway: Gateway) -> int:
    """Return the exit code of a process that has already been told to end."""
    code = gateway.process.wait(PATIENCE)
    gateway.stop()
    return code


def _list_outcomes(gateway: Gateway) -> list[str]:
    return [row["outcome"] for row in gateway.list_records()]


def _wait_until(check, within: float = 1.0) -> float:
    started = time.monotonic()
    while not check():
        assert time.monotonic() - started < allow(within), f"not within {within} s"
        time.sleep(0.02)
    return time.monotonic() - started


def _is_refused(client: openai.OpenAI) -> bool:
    try:
        client.models.list()
    except openai.AuthenticationError:
        return True
    return False


def test_only_the_first_start_shows_the_admin_key_and_its_example_works(tmp_path):
    first = Gateway(tmp_path, {})
    key = first.key
    assert (tmp_path / "data" / "admin.key").stat().st_mode & 0o777 == 0o600
    _wait_until(lambda: "print(" in first.output, 5)
    assert f"Antiphon is ready at {first.url}\n" in first.output
    assert key in first.output
    example = first.output[first.output.index("curl ") : first.output.index("or, with")]
    done = subprocess.run(example, shell=True, capture_output=True, text=True, timeout=PATIENCE, check=True)
    assert json.loads(done.stdout)["choices"][0]["message"]["content"] == "Hello"
    script = "\n".join(line.strip() for line in first.output[first.output.index("from openai") :].splitlines())
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=clean_environ(), check=True
    )
    assert done.stdout == "Hello\n"
    assert first.stop() == 0
    again = Gateway(tmp_path, {})
    try:
        assert again.key == key
        _wait_until(lambda: "print(" in again.output, 5)
        assert key not in again.output
        assert not _is_refused(_open_client(again))
    finally:
        again.stop()


def test_keys_created_or_revoked_by_another_process_take_effect_within_a_second(tmp_path):
    gateway = Gateway(tmp_path, {"models": {"allowed": "sim/echo", "other": "sim/echo"}})
    try:
        data = ["--data", str(gateway.data)]
        made = json.loads(_run_cli("keys", "create", "one", "--model", "allowed", "--json", *data, cwd=tmp_path).stdout)
        client = _open_client(gateway, made["key"])
        _wait_until(lambda: not _is_refused(client))
        assert client.chat.completions.create(model="allowed", messages=HELLO).choices
        assert [model.id for model in client.models.list()] == ["allowed"]
        with pytest.raises(openai.PermissionDeniedError) as caught:
            client.chat.completions.create(model="other", messages=HELLO)
        assert caught.value.code == "model_not_allowed"
        with pytest.raises(openai.PermissionDeniedError):
            client.models.retrieve("other")
        assert _run_cli("keys", "revoke", made["id"], *data, cwd=tmp_path).returncode == 0
        _wait_until(lambda: _is_refused(client))
        with pytest.raises(openai.AuthenticationError, match="revoked"):
            client.models.list()
    finally:
        gateway.stop()


def test_sigterm_lets_streams_end_and_exits_with_0(tmp_path):
    gateway = Gateway(tmp_path, {"server": {"drain": 20}})
    texts: list[str] = []
    started = threading.Barrier(21)

    def stream() -> None:
        with _open_client(gateway) as client:
            words = " ".join(f"word{index}" for index in range(40))
            events = client.chat.completions.create(
                model="sim/echo:tps=40", messages=[{"role": "user", "content": words}], stream=True
            )
            first = next(events)
            started.wait(PATIENCE)
            rest = [chunk.choices[0].delta.content or "" for chunk in events if chunk.choices]
            texts.append((first.choices[0].delta.content or "") + "".join(rest))

    threads = [threading.Thread(target=stream) for _ in range(20)]
    for thread in threads:
        thread.start()
    started.wait(PATIENCE)
    gateway.process.terminate()
    time.sleep(0.3)
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", gateway.port), 1)
    for thread in threads:
        thread.join(PATIENCE)
    assert len(texts) == 20
    assert all(text.endswith("word39") for text in texts)
    assert _wait_for_exit(gateway) == 0
    assert _list_outcomes(gateway) == ["success"] * 20
    assert "Traceback" not in gateway.output


def test_streams_are_cancelled_after_the_drain_time(tmp_path):
    gateway = Gateway(tmp_path, {"server": {"drain": 0.5}})
    client = _open_client(gateway)
    events = client.chat.completions.create(model="sim/lorem:tps=1:tokens=1000", messages=HELLO, stream=True)
    next(events)
    began = time.monotonic()
    gateway.process.terminate()
    with pytest.raises(openai.APIError):
        list(events)
    assert _wait_for_exit(gateway) == 0
    assert time.monotonic() - began < PATIENCE  # the stream would last a thousand seconds
    assert _list_outcomes(gateway) == ["cancelled"]
    assert "Traceback" not in gateway.output


def test_a_second_signal_ends_the_server_at_once(tmp_path):
    gateway = Gateway(tmp_path, {"server": {"drain": 60}})
    client = _open_client(gateway)
    events = client.chat.completions.create(model="sim/lorem:tps=1:tokens=1000", messages=HELLO, stream=True)
    next(events)
    gateway.process.terminate()
    time.sleep(0.3)
    assert gateway.process.poll() is None
    began = time.monotonic()
    gateway.process.terminate()
    assert gateway.process.wait(PATIENCE) == 1
    assert time.monotonic() - began < allow(3)
    gateway.stop()
    assert _list_outcomes(gateway) == ["cancelled"]


def test_readiness_is_false_while_draining(tmp_path):
    gateway = Gateway(tmp_path, {"server": {"drain": 20}})
    client = _open_client(gateway)
    events = client.chat.completions.create(model="sim/lorem:tps=20:tokens=40", messages=HELLO, stream=True)
    next(events)
    # A request that came before the signal and is read after it: the rest of its head is sent while draining.
    with socket.create_connection(("127.0.0.1", gateway.port), 2) as probe:
        probe.sendall(b"POST /v1/embeddings HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nExpect: 100-continue\r\n")
        probe.sendall(f"Authorization: Bearer {gateway.key}\r\n\r\n".encode())
        assert b"100 Continue" in probe.recv(1000)
        gateway.process.terminate()
        time.sleep(0.2)
        probe.sendall(b"{GET /health/ready HTTP/1.1\r\nHost: x\r\n\r\n")
        got = b""
        while data := probe.recv(4096):
            got += data
    assert b" 400 " in got
    assert b"connection: close" in got
    assert b" 200 " not in got
    list(events)
    assert _wait_for_exit(gateway) == 0


def test_a_port_in_use_is_an_error(tmp_path, gateway):
    done = _run_cli("serve", "--port", str(gateway.port), "--data", "d", cwd=tmp_path)
    assert done.returncode == 1
    assert f"port {gateway.port}" in done.stderr
    assert "--port" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("host", ["999.1.1.1", "192.0.2.1"])
def test_an_address_of_another_machine_is_refused(tmp_path, host):
    done = _run_cli("serve", "--host", host, "--port", "0", cwd=tmp_path)
    assert done.returncode == 1
    assert f"cannot listen on {host} port 0" in done.stderr
    assert "choose another with --host or server.host" in done.stderr


def test_all_configuration_faults_are_reported_together(tmp_path):
    (tmp_path / "antiphon.yaml").write_text("version: 1\nservr: {}\nserver: {port: eighty, colour: red}\n")
    done = _run_cli("serve", cwd=tmp_path)
    assert done.returncode == 2
    assert all(word in done.stderr for word in ("servr", "port", "colour"))
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
def test_open_on_another_interface_is_refused(tmp_path, host):
    (tmp_path / "antiphon.yaml").write_text("version: 1\nserver: {auth: open}\n")
    done = _run_cli("serve", "--host", host, "--port", "0", cwd=tmp_path)
    assert done.returncode == 2
    assert "loopback" in done.stderr


def test_empty_admin_key_is_refused(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "admin.key").write_text("\n")
    done = _run_cli("serve", "--port", "0", cwd=tmp_path)
    assert done.returncode == 1
    assert "admin.key" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unusable_data_directory_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    done = _run_cli("serve", "--port", "0", "--data", str(tmp_path / "file" / "data"), cwd=tmp_path)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
