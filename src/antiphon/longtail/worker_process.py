"""One process of LiteLLM: its start, its configuration, its log and its end."""

import asyncio
import os
import secrets
import signal
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import msgspec

from antiphon.errors import ConnectFailed
from antiphon.longtail.capped_log import CappedLog
from antiphon.longtail.environment import WORKER

START_SECONDS = 60.0
"""Time to import LiteLLM on a slow and busy machine."""
STOP_SECONDS = 5.0
"""Time between SIGTERM and SIGKILL."""
_LOG_SECONDS = 1.0
"""Time for the last lines of a process that has ended to reach its log."""
_READ_SIZE = 64 * 1024
_FORWARDED_VARIABLES = (
    *("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR"),
    *(name for proxy in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY") for name in (proxy, proxy.lower())),
)
"""The variables that LiteLLM sees: how to reach hosts, and nothing that could be a provider's key."""


class WorkerProcess:
    """A started worker; each request to it must carry ``secret``."""

    def __init__(self, process: asyncio.subprocess.Process, secret: str, log: CappedLog) -> None:
        self.pid = process.pid
        self.secret = secret
        self.ended = asyncio.Event()
        self._process = process
        self._log = log
        self._logging = asyncio.ensure_future(self._copy_log())

    @classmethod
    async def start(cls, python: Path, socket: Path, ca_file: str | None, log: CappedLog) -> "WorkerProcess":
        """Start a worker; :meth:`wait_until_ready` returns when it takes calls."""
        secret = secrets.token_urlsafe(32)
        process = await asyncio.create_subprocess_exec(
            str(python),
            "-I",
            str(WORKER / "__main__.py"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=socket.parent,
            env=_filter_environment(os.environ),
            start_new_session=True,  # a Ctrl-C at the terminal is for the gateway, which drains first
        )
        assert process.stdin is not None
        authorities = None if ca_file is None else os.path.abspath(ca_file)  # noqa: PTH100, ASYNC240 (no I/O)
        config = {"socket": str(socket), "secret": secret, "ca_file": authorities}
        # Standard input stays open: its end tells the worker that this process has ended.
        process.stdin.write(msgspec.json.encode(config) + b"\n")
        return cls(process, secret, log)

    async def wait_until_ready(self) -> None:
        """Wait until the worker takes calls; raises :class:`~antiphon.errors.ConnectFailed` if it does not."""
        assert self._process.stdout is not None
        try:
            async with asyncio.timeout(START_SECONDS):
                line = await self._process.stdout.readline()
        except TimeoutError:
            raise ConnectFailed(f"LiteLLM was not ready within {START_SECONDS:g} s.") from None
        if line != b"ready\n":
            raise ConnectFailed("LiteLLM's process ended before it was ready; its log says where.")

    async def wait(self) -> int:
        """Return the exit code, once the process has ended and its log is written."""
        code = await self._process.wait()
        self.ended.set()
        await asyncio.wait((self._logging,), timeout=_LOG_SECONDS)
        return code

    def kill(self) -> None:
        """Send SIGKILL; call :meth:`wait` afterwards."""
        self._send_signal(signal.SIGKILL)

    async def stop(self) -> None:
        """End the process with SIGTERM, and with SIGKILL if it does not end in time."""
        self._send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(self.wait(), STOP_SECONDS)
        except TimeoutError:
            self.kill()
            await self.wait()

    def _send_signal(self, number: int) -> None:
        if self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.send_signal(number)

    async def _copy_log(self) -> None:
        """Write the worker's standard error into its log until it closes."""
        assert self._process.stderr is not None
        while data := await self._process.stderr.read(_READ_SIZE):
            with suppress(OSError):  # a full disk must not stop LiteLLM on a full pipe
                self._log.write(data)


def _filter_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a worker."""
    return {name: environ[name] for name in _FORWARDED_VARIABLES if name in environ}
