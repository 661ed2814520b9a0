"""Processes of the bench: each is started on one core, waited for, and always stopped."""

import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


class Process:
    """One started program, whose output goes to a file."""

    def __init__(self, command: Sequence[str], core: int, log: Path, environ: Mapping[str, str] | None = None) -> None:
        self.command, self.log = list(command), log

        def prepare() -> None:
            os.sched_setaffinity(0, {core})
            hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

        with log.open("ab") as output:
            self._popen = subprocess.Popen(
                self.command,
                stdout=output,
                stderr=output,
                stdin=subprocess.DEVNULL,
                cwd=log.parent,
                env={**os.environ, "PYTHONPATH": str(ROOT), **(environ or {})},
                preexec_fn=prepare,
            )
        self.pid = self._popen.pid

    def is_running(self) -> bool:
        return self._popen.poll() is None

    def stop(self, patience: float = 10.0) -> None:
        """Ask the program to end; kill it if it has not ended after ``patience`` seconds."""
        if self.is_running():
            self._popen.send_signal(signal.SIGTERM)
        try:
            self._popen.wait(patience)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            self._popen.wait()

    def read_log_end(self) -> str:
        """Return the last 15 lines of the output."""
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:])


def wait_ready(process: Process, port: int, path: str = "/health/ready", limit: float = 60.0) -> float:
    """Return the seconds until ``path`` answered 200; raises ``RuntimeError`` with the end of the program's log."""
    began = time.perf_counter()
    while time.perf_counter() - began < limit:
        if not process.is_running():
            break
        if is_ready(port, path):
            return time.perf_counter() - began
        time.sleep(0.002)
    raise RuntimeError(f"{process.command[:4]} was not ready on port {port}:\n{process.read_log_end()}")


def is_ready(port: int, path: str) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n".encode())
            return connection.recv(64).split(b" ", 2)[1:2] == [b"200"]
    except OSError:
        return False


def build_command(module: str, *arguments: object) -> list[str]:
    """Return the command that runs a module with this interpreter."""
    return [sys.executable, "-m", module, *map(str, arguments)]
