"""A worker process, seen from the gateway: started, asked one job at a time, ended."""

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress

from antiphon.local.messages import HEAD, Job, Reply, decode_reply, framed

_PASSED = frozenset(("HOME", "LANG", "PATH", "TEMP", "TMP", "TMPDIR", "TZ", "USER", "USERPROFILE", "VIRTUAL_ENV"))
_PASSED_PREFIXES = (
    *("CUDA_", "FASTEMBED_", "HF_", "HUGGINGFACE_", "LC_", "LD_LIBRARY_", "DYLD_", "MKL_", "OMP_", "ORT_"),
    *("PYTHON", "RAYON_", "REQUESTS_", "SSL_", "XDG_"),
)
_PASSED_SUFFIXES = ("_PROXY",)
"""What a worker sees of the environment: providers' credentials are none of its business."""
_QUIET = {"HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "TOKENIZERS_PARALLELISM": "false"}
_END_SECONDS = 5.0


class WorkerDied(Exception):
    """The worker's process ended, or could not be started; the text says how."""


class WorkerProcess:
    """One process; use it from one task at a time. It ends by itself when this process ends, however that happens."""

    def __init__(
        self, process: "subprocess.Popen[bytes]", reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._process = process
        self._reader = reader
        self._writer = writer

    @classmethod
    async def start(cls) -> "WorkerProcess":
        """Start a worker, which takes about two milliseconds of this process; raises :class:`WorkerDied`."""
        here, there = socket.socketpair()
        with there:
            try:
                process = _spawn(there.fileno())
            except OSError as error:
                here.close()
                raise WorkerDied(f"could not be started: {error}") from None
        here.setblocking(False)
        try:
            return cls(process, *await asyncio.open_connection(sock=here))
        except BaseException:
            here.close()
            process.kill()
            process.wait(_END_SECONDS)
            raise

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    async def run(self, job: Job) -> Reply:
        """Return the answer to a job; raises :class:`WorkerDied` where the process ended before it answered."""
        try:
            self._writer.write(framed(job))
            await self._writer.drain()
            length = int.from_bytes(await self._reader.readexactly(HEAD), "little")
            reply: Reply = decode_reply(await self._reader.readexactly(length))
            return reply
        except (asyncio.IncompleteReadError, ConnectionError):
            raise WorkerDied(self._cause()) from None

    def _cause(self) -> str:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(0.1)  # the socket closes a moment before the process can be waited for
        code = self._process.poll()
        if code is None:
            return "closed its connection"
        if code < 0:
            return f"was ended by signal {-code}"
        return f"ended with exit code {code}"

    async def close(self) -> None:
        """End the process. Waits for the kernel only, which takes a moment."""
        self._process.kill()
        self._process.wait(_END_SECONDS)
        self._writer.close()
        with suppress(OSError):
            await self._writer.wait_closed()


def _spawn(descriptor: int) -> "subprocess.Popen[bytes]":
    # -P: a module lying in the working directory is not imported by accident.
    command = [sys.executable, "-P", "-m", "antiphon.local.worker", str(descriptor)]
    return subprocess.Popen(  # noqa: S603  no word of it comes from outside
        command,
        pass_fds=[descriptor],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        env=_environment(os.environ),
        start_new_session=True,  # Ctrl-C at a terminal is for the gateway, which then ends the worker
    )


def _environment(own: Mapping[str, str]) -> dict[str, str]:
    kept = {
        name: value
        for name, value in own.items()
        if name in _PASSED or name.startswith(_PASSED_PREFIXES) or name.upper().endswith(_PASSED_SUFFIXES)
    }
    return _QUIET | kept
