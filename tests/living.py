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


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment without anything that would configure Antiphon by accident."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.endswith(("_API_KEY", "_BASE_URL", "_HOST", "_TOKEN")) and not name.startswith("ANTIPHON_")
    }
    return {**kept, "PYTHONUNBUFFERED": "1", **(extra or {})}


class Running:
    """``antiphon <args>`` as a process that printed its URL; its output is kept."""

    def __init__(self, *args: str, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> None:
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "antiphon", *args],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment(env),
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
        """End the process the hard way, as a crash would."""
        self.process.send_signal(signal.SIGKILL)
        self._wait()

    def stop(self) -> int:
        """End the process the polite way and return its exit code."""
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

    def callers(self) -> int:
        """How many connections to the process's own port it has; listening does not count."""
        found = psutil.Process(self.process.pid).net_connections("tcp")
        return sum(item.laddr.port == self.port and item.status != psutil.CONN_LISTEN for item in found)


class Gateway(Running):
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
        """The child process that moves records to the database; the gateway starts it a moment after it is ready."""
        return next((child for child in self._children() if _is_shipper(child)), None)

    def workers(self) -> list[psutil.Process]:
        """The child processes beside the shipper."""
        return [child for child in self._children() if not _is_shipper(child)]

    def _children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children()

    def records(self) -> list[dict[str, Any]]:
        """Every call that has reached the database, oldest first."""
        database = sqlite3.connect(f"file:{self.data / 'antiphon.db'}?mode=ro", uri=True)
        database.row_factory = sqlite3.Row
        try:
            return [dict(row) for row in database.execute("SELECT * FROM calls ORDER BY time, id")]
        finally:
            database.close()

    async def record(self, answer: "Answered") -> dict[str, Any]:
        """The one record of an answer, as soon as it has reached the database."""
        call = answer.headers["x-antiphon-call-id"]
        await eventually(lambda: [row for row in self.records() if row["id"] == call])
        (row,) = [row for row in self.records() if row["id"] == call]
        return row


def _is_shipper(process: psutil.Process) -> bool:
    try:
        return "antiphon.ledger.shipper_process" in process.cmdline()
    except psutil.Error:  # it has just ended
        return False


class Sim(Running):
    """The simulator as a provider of its own, which says what it served."""

    def __init__(self, *args: str) -> None:
        super().__init__("sim", "--port", "0", *args)

    def served(self) -> list[dict[str, Any]]:
        """Every request so far, oldest first."""
        found: list[dict[str, Any]] = self._get("/sim/served")
        return found

    def clear(self) -> None:
        """Forget what was served."""
        asked = urllib.request.Request(self.url + "/sim/served", method="DELETE")
        urllib.request.urlopen(asked, timeout=PATIENCE).close()

    def busy(self) -> int:
        """How many requests are being answered now."""
        return sum(not entry["ended"] for entry in self.served())

    def _get(self, path: str) -> Any:
        with urllib.request.urlopen(self.url + path, timeout=PATIENCE) as answer:
            return json.load(answer)


async def chat(gateway: Gateway, model: str, *, stream: bool = False, **fields: Any) -> "Answered":
    """Ask a gateway one short question."""
    body = {"model": model, "messages": [{"role": "user", "content": "Say it"}], "stream": stream, **fields}
    return await post(gateway.port, "/v1/chat/completions", body, gateway.key)


def allow(seconds: float) -> float:
    """Return the seconds that a promise of ``seconds`` may take here and now: twice as many, more on a busy machine.

    How busy it is shows in how long some work takes, compared with the CPU time it needs.
    """
    wall, cpu = time.perf_counter(), time.thread_time()
    while (used := time.thread_time() - cpu) < 0.02:
        pass
    return 2 * seconds * max(1.0, (time.perf_counter() - wall) / used)


async def eventually(holds: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Wait until something holds; fail with its last value otherwise."""
    until = time.monotonic() + seconds
    while not (value := holds()):
        assert time.monotonic() < until, f"still {value!r} after {seconds} s"
        await asyncio.sleep(0.05)


def cli(*args: str, check: bool = True, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run one command of the command line to its end."""
    done = subprocess.run(
        [sys.executable, "-m", "antiphon", *args],
        capture_output=True,
        text=True,
        env=environment(),
        input=stdin,
        timeout=PATIENCE,
        check=False,
    )
    assert not check or done.returncode == 0, done.stderr
    return done


class Answered(NamedTuple):
    """What a client saw: ``whole`` says that the HTTP message ended as its framing said it would."""

    status: int
    headers: dict[str, str]
    body: bytes
    whole: bool
    seconds: float

    @property
    def json(self) -> Any:
        return json.loads(self.body)


async def post(port: int, path: str, body: Any, key: str = "any", headers: Mapping[str, str] | None = None) -> Answered:
    """Send one request on a connection of its own and read whatever comes until the connection closes."""
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
        writer.transport.abort()  # closing would wait for a body to be taken that was refused before its end
    return _parsed(bytes(raw), time.monotonic() - started)


def _parsed(raw: bytes, seconds: float) -> Answered:
    head, _, rest = raw.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    if not head:
        return Answered(0, {}, b"", False, seconds)
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
    status = int(lines[0].split()[1])
    if headers.get("transfer-encoding") != "chunked":
        return Answered(status, headers, rest, len(rest) == int(headers.get("content-length", -1)), seconds)
    body, whole = bytearray(), False
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        length = int(size or b"0", 16)
        if length == 0:
            whole = size == b"0"
            break
        body += rest[:length]
        rest = rest[length + 2 :]
    return Answered(status, headers, bytes(body), whole, seconds)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
