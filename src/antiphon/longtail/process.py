"""One process of LiteLLM: begun, told what it must know, listened to, ended."""

import asyncio
import os
import secrets
import signal
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import msgspec

from antiphon.errors import ConnectFailed
from antiphon.longtail.caplog import CappedLog
from antiphon.longtail.environment import WORKER

START_SECONDS = 60.0
"""To import LiteLLM, on a slow and busy machine."""
STOP_SECONDS = 5.0
_READ = 64 * 1024
_PASSED_ON = (
    *("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR"),
    *(name for proxy in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY") for name in (proxy, proxy.lower())),
)
"""What of our environment LiteLLM sees: how to reach hosts, and nothing that could be a provider's key."""


class Process:
    """A started worker; ``secret`` is what it wants to see on each request."""

    def __init__(self, process: asyncio.subprocess.Process, secret: str, log: CappedLog) -> None:
        self.pid = process.pid
        self.secret = secret
        self.ended = asyncio.Event()
        self._process = process
        self._log = log
        self._listening = asyncio.ensure_future(self._listen())

    @classmethod
    async def start(cls, python: Path, socket: Path, ca_file: str | None, log: CappedLog) -> "Process":
        """Begin a worker; :meth:`ready` says when it takes calls."""
        secret = secrets.token_urlsafe(32)
        process = await asyncio.create_subprocess_exec(
            str(python),
            "-I",
            str(WORKER / "__main__.py"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=socket.parent,
            env=environment(os.environ),
            start_new_session=True,  # a Ctrl-C at the terminal is for the gateway, which drains first
        )
        assert process.stdin is not None
        authorities = None if ca_file is None else os.path.abspath(ca_file)  # noqa: PTH100, ASYNC240 (no I/O)
        told = {"socket": str(socket), "secret": secret, "ca_file": authorities}
        # Kept open: its end tells the worker that we are gone.
        process.stdin.write(msgspec.json.encode(told) + b"\n")
        return cls(process, secret, log)

    async def ready(self) -> None:
        """Wait until it takes calls; raises :class:`~antiphon.errors.ConnectFailed` where that does not come."""
        assert self._process.stdout is not None
        try:
            async with asyncio.timeout(START_SECONDS):
                line = await self._process.stdout.readline()
        except TimeoutError:
            raise ConnectFailed(f"LiteLLM was not ready within {START_SECONDS:g} s.") from None
        if line != b"ready\n":
            raise ConnectFailed("LiteLLM's process ended before it was ready; its log says where.")

    async def wait(self) -> int:
        """Return its exit code, once it has ended and its log is written."""
        code = await self._process.wait()
        self.ended.set()
        await asyncio.wait((self._listening,), timeout=1.0)
        return code

    def kill(self) -> None:
        """End it the hard way; :meth:`wait` afterwards."""
        self._signal(signal.SIGKILL)

    async def stop(self) -> None:
        """End it with SIGTERM, and with SIGKILL where that is not enough."""
        self._signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(self.wait(), STOP_SECONDS)
        except TimeoutError:
            self.kill()
            await self.wait()

    def _signal(self, number: int) -> None:
        if self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.send_signal(number)

    async def _listen(self) -> None:
        """Write what it says into its log, until it says no more."""
        assert self._process.stderr is not None
        while data := await self._process.stderr.read(_READ):
            with suppress(OSError):  # a full disk must not stop LiteLLM on a full pipe
                self._log.write(data)


def environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a worker."""
    return {name: environ[name] for name in _PASSED_ON if name in environ}
