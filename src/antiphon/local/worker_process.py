"""A worker process as the gateway sees it: started, given one job at a time, ended."""

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress

from antiphon.local.messages import LENGTH_SIZE, Job, JobReply, decode_reply, encode_message

_FORWARDED = frozenset(("HOME", "LANG", "PATH", "TEMP", "TMP", "TMPDIR", "TZ", "USER", "USERPROFILE", "VIRTUAL_ENV"))
_FORWARDED_PREFIXES = (
    *("CUDA_", "FASTEMBED_", "HF_", "HUGGINGFACE_", "LC_", "LD_LIBRARY_", "DYLD_", "MKL_", "OMP_", "ORT_"),
    *("PYTHON", "RAYON_", "REQUESTS_", "SSL_", "XDG_"),
)
_FORWARDED_SUFFIXES = ("_PROXY",)
"""The variables that a worker sees; it does not need providers' credentials."""
_DEFAULTS = {"HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "TOKENIZERS_PARALLELISM": "false"}
_END_SECONDS = 5.0


class WorkerDied(Exception):
    """The worker's process ended, or could not be started; the text says how."""


class WorkerProcess:
    """One process; use it from one task at a time. It ends when this process ends, however that happens."""

    def __init__(
        self, process: "subprocess.Popen[bytes]", reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._process = process
        self._reader = reader
        self._writer = writer

    @classmethod
    async def start(cls) -> "WorkerProcess":
        """Start a worker, which takes this process about two milliseconds; raises :class:`WorkerDied`."""
        own_end, worker_end = socket.socketpair()
        with worker_end:
            try:
                process = _spawn(worker_end.fileno())
            except OSError as error:
                own_end.close()
                raise WorkerDied(f"could not be started: {error}") from None
        own_end.setblocking(False)
        try:
            return cls(process, *await asyncio.open_connection(sock=own_end))
        except BaseException:
            own_end.close()
            process.kill()
            process.wait(_END_SECONDS)
            raise

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    async def run(self, job: Job) -> JobReply:
        """Return the reply to a job; raises :class:`WorkerDied` if the process ends before it replies."""
        try:
            self._writer.write(encode_message(job))
            await self._writer.drain()
            length = int.from_bytes(await self._reader.readexactly(LENGTH_SIZE), "little")
            reply: JobReply = decode_reply(await self._reader.readexactly(length))
            return reply
        except (asyncio.IncompleteReadError, ConnectionError):
            raise WorkerDied(self._describe_end()) from None

    def _describe_end(self) -> str:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(0.1)  # the socket closes a moment before the process can be waited for
        code = self._process.poll()
        if code is None:
            return "closed its connection"
        if code < 0:
            return f"was ended by signal {-code}"
        return f"ended with exit code {code}"

    async def close(self) -> None:
        """Kill the process and wait for the kernel to end it, which takes a moment."""
        self._process.kill()
        self._process.wait(_END_SECONDS)
        self._writer.close()
        with suppress(OSError):
            await self._writer.wait_closed()


def _spawn(descriptor: int) -> "subprocess.Popen[bytes]":
    # -P: a module in the working directory is not imported by accident.
    command = [sys.executable, "-P", "-m", "antiphon.local.worker", str(descriptor)]
    return subprocess.Popen(  # noqa: S603  no word of it comes from outside
        command,
        pass_fds=[descriptor],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        env=_make_environment(os.environ),
        start_new_session=True,  # Ctrl-C at a terminal is for the gateway, which then ends the worker
    )


def _make_environment(own: Mapping[str, str]) -> dict[str, str]:
    forwarded = {
        name: value
        for name, value in own.items()
        if name in _FORWARDED or name.startswith(_FORWARDED_PREFIXES) or name.upper().endswith(_FORWARDED_SUFFIXES)
    }
    return _DEFAULTS | forwarded
