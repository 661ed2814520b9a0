"""Real processes for tests: the gateway and the simulator, started as a user starts them, and a raw HTTP client."""

import asyncio
import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import psutil

PATIENCE = 60.0
"""Seconds that a test waits for what must happen. Only a test that fails waits so long."""
URL = re.compile(r"http://127\.0\.0\.1:(\d+)")


def clean_environ(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment without the variables that would configure Antiphon by accident."""
    others = {
        name: value
        for name, value in os.environ.items()
        if not name.endswith(("_API_KEY", "_BASE_URL", "_HOST", "_TOKEN")) and not name.startswith("ANTIPHON_")
    }
    return {**others, "PYTHONUNBUFFERED": "1", **(extra or {})}


class AntiphonProcess:
    """A running ``antiphon <args>`` that has printed its URL. ``lines`` is its output so far."""

    def __init__(self, *args: str, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> None:
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "antiphon", *args],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=clean_environ(env),
            cwd=cwd,
        )
        self.lines: list[str] = []
        self.port = 0
        self._found = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        if not self._found.wait(PATIENCE):
            self.stop()
            raise AssertionError(f"antiphon {' '.join(args)} did not start:\n{self.output}")
        self.ready_after = time.monotonic() - self.started

    @property
    def output(self) -> str:
        return "".join(self.lines)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)
            if not self.port and (match := URL.search(line)):
                self.port = int(match[1])
                self._found.set()

    def kill(self) -> None:
        """Kill the process, as a crash would."""
        self.process.send_signal(signal.SIGKILL)
        self._wait()

    def stop(self) -> int:
        """Ask the process to end and return its exit code."""
        if self.process.poll() is None:
            self.process.terminate()
        return self._wait()

    def _wait(self) -> int:
        try:
            code = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        if self.process.stdout is not None:
            self.process.stdout.close()
        return code

    def count_connections(self) -> int:
        """Return how many connections to its own port the process has; the listening socket does not count."""
        found = psutil.Process(self.process.pid).net_connections("tcp")
        return sum(item.laddr.port == self.port and item.status != psutil.CONN_LISTEN for item in found)


class Gateway(AntiphonProcess):
    """A gateway with its own data directory and an admin key."""

    def __init__(self, folder: Path, config: Mapping[str, Any] | None = None, *args: str, **options: Any) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.config = folder / "antiphon.yaml"
        if config is not None:
            self.config.write_text(json.dumps({"version": 1, **config}))
        super().__init__(
            "serve", "--config", str(self.config), "--port", "0", "--data", str(self.data), *args, cwd=folder, **options
        )

    @property
    def key(self) -> str:
        return (self.data / "admin.key").read_text().strip()

    def find_shipper(self) -> psutil.Process | None:
        """Return the child process that moves records to the database; it starts shortly after the gateway is ready."""
        return next((child for child in self._list_children() if _is_shipper(child)), None)

    def list_workers(self) -> list[psutil.Process]:
        """Return the child processes, without the shipper."""
        return [child for child in self._list_children() if not _is_shipper(child)]

    def _list_children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children()

    def list_records(self) -> list[dict[str, Any]]:
        """Return the records that have reached the database, oldest first."""
        database = sqlite3.connect(f"file:{self.data / 'antiphon.db'}?mode=ro", uri=True)
        database.row_factory = sqlite3.Row
        try:
            return [dict(row) for row in database.execute("SELECT * FROM calls ORDER BY time, id")]
        finally:
            database.close()

    async def wait_for_record(self, answer: "Answer") -> dict[str, Any]:
        """Return the record of an answered call as soon as it has reached the database; fail if there are two."""
        call = answer.headers["x-antiphon-call-id"]
        await wait_until(lambda: [row for row in self.list_records() if row["id"] == call])
        (row,) = [row for row in self.list_records() if row["id"] == call]
        return row


def _is_shipper(process: psutil.Process) -> bool:
    try:
        return "antiphon.ledger.shipper_process" in process.cmdline()
    except psutil.Error:  # it has just ended
        return False


class Sim(AntiphonProcess):
    """The simulator as a separate provider that lists the requests it served."""

    def __init__(self, *args: str) -> None:
        super().__init__("sim", "--port", "0", *args)

    def list_served(self) -> list[dict[str, Any]]:
        """Return every request so far, oldest first."""
        found: list[dict[str, Any]] = self._get("/sim/served")
        return found

    def clear(self) -> None:
        """Empty the list of served requests."""
        request = urllib.request.Request(self.url + "/sim/served", method="DELETE")
        urllib.request.urlopen(request, timeout=PATIENCE).close()

    def count_open(self) -> int:
        """Return how many requests are being answered now."""
        return sum(not entry["ended"] for entry in self.list_served())

    def _get(self, path: str) -> Any:
        with urllib.request.urlopen(self.url + path, timeout=PATIENCE) as answer:
            return json.load(answer)


async def chat(gateway: Gateway, model: str, *, stream: bool = False, **fields: Any) -> "Answer":
    """Make one short chat call."""
    body = {"model": model, "messages": [{"role": "user", "content": "Say it"}], "stream": stream, **fields}
    return await post(gateway.port, "/v1/chat/completions", body, gateway.key)


def allow(seconds: float) -> float:
    """Return the seconds that a promise of ``seconds`` may take here and now: the same on an idle machine.

    On a busy one they are multiplied, by the time that a little work takes now, compared with its CPU time, or by the
    processes per CPU that wanted to run in the last minute, if those are more.
    """
    wall, cpu = time.perf_counter(), time.thread_time()
    while (used := time.thread_time() - cpu) < 0.02:
        pass
    waited = (time.perf_counter() - wall) / used
    return seconds * max(1.0, waited, os.getloadavg()[0] / (os.cpu_count() or 1))


async def wait_until(holds: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Wait until ``holds()`` is true; fail with its last value if that takes longer than ``seconds``."""
    until = time.monotonic() + seconds
    while not (value := holds()):
        assert time.monotonic() < until, f"still {value!r} after {seconds} s"
        await asyncio.sleep(0.05)


def run_cli(*args: str, check: bool = True, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command of the command line and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "antiphon", *args],
        capture_output=True,
        text=True,
        env=clean_environ(),
        input=stdin,
        timeout=PATIENCE,
        check=False,
    )
    assert not check or done.returncode == 0, done.stderr
    return done


class Answer(NamedTuple):
    """What a client received; ``whole`` says that the HTTP message ended where its framing said it would."""

    status: int
    headers: dict[str, str]
    body: bytes
    whole: bool
    seconds: float

    @property
    def json(self) -> Any:
        return json.loads(self.body)


async def post(port: int, path: str, body: Any, key: str = "any", headers: Mapping[str, str] | None = None) -> Answer:
    """Send one request on a new connection and read until the connection closes."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = {"host": f"127.0.0.1:{port}", "authorization": f"Bearer {key}", "content-type": "application/json"}
    lines |= {"content-length": str(len(content)), "connection": "close", **(headers or {})}
    head = f"POST {path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    started = time.monotonic()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(head.encode() + b"\r\n" + content)
        raw = bytearray()
        try:
            while chunk := await reader.read(65536):
                raw += chunk
        except ConnectionError:
            pass
    finally:
        writer.transport.abort()  # closing would wait until a refused body has been sent
    return _parse_answer(bytes(raw), time.monotonic() - started)


def _parse_answer(raw: bytes, seconds: float) -> Answer:
    head, _, rest = raw.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    if not head:
        return Answer(0, {}, b"", False, seconds)
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
    status = int(lines[0].split()[1])
    if headers.get("transfer-encoding") != "chunked":
        return Answer(status, headers, rest, len(rest) == int(headers.get("content-length", -1)), seconds)
    body, position = bytearray(), 0
    while (end := rest.find(b"\r\n", position)) >= 0 and (length := int(rest[position:end] or b"0", 16)):
        body += rest[end + 2 : end + 2 + length]
        position = end + 2 + length + 2
    whole = rest[position : position + 3] == b"0\r\n"
    return Answer(status, headers, bytes(body), whole, seconds)


def find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
