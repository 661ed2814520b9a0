"""The server process: it starts from a configuration, serves until a signal, and shuts down in order."""

import asyncio
import gc
import logging
import os
import resource
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path

import uvloop

from antiphon.catalog import Catalog
from antiphon.credentials import CredentialLogFilter
from antiphon.errors import LedgerError
from antiphon.runtime import Runtime
from antiphon.server.app import Gateway
from antiphon.server.banner import write_banner
from antiphon.server.http.connection import HttpServer
from antiphon.server.http.limits import Limits
from antiphon.server.http.listener import Listener, listen
from antiphon.server.phase import Phase

ADMIN_KEY_FILE = "admin.key"
_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_FORCED = 1
_DESCRIPTORS = 65_536

logger = logging.getLogger("antiphon.server")


def serve(catalog: Catalog, log_level: str = "warning") -> int:
    """Serve ``catalog`` until SIGTERM or SIGINT and return the exit code.

    Raises :class:`~antiphon.errors.AntiphonError` if the address or the data directory cannot be used.
    """
    logging.basicConfig(
        stream=sys.stderr, level=log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    for handler in logging.getLogger().handlers:
        handler.addFilter(CredentialLogFilter())
    _allow_connections()
    sockets = listen(catalog.settings.host, catalog.settings.port)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_Process(catalog, sockets).run())


def _allow_connections() -> None:
    """Raise the limit of file descriptors: the usual soft limit of 1024 is too low for a gateway's streams."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _DESCRIPTORS)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class _Process:
    """The life of one server."""

    def __init__(self, catalog: Catalog, sockets: list[socket.socket]) -> None:
        settings = catalog.settings
        self._settings = settings
        self._data = Path(settings.data)
        self._runtime = Runtime(catalog, data=settings.data, shipper_process=True)
        self._gateway = Gateway(self._runtime, open_to_all=settings.auth == "open", prefixes=settings.prefixes)
        http_server = HttpServer(self._gateway, Limits(body=settings.body_limit))
        self._listener = Listener(http_server, sockets)
        self._signals = 0
        self._asked_to_stop = asyncio.Event()
        self._asked_to_hurry = asyncio.Event()

    async def run(self) -> int:
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            loop.add_signal_handler(number, self._on_signal)
        try:
            await self._listener.start()
            await self._open()
            new_key = self._find_new_admin_key()
            self._gateway.phase = Phase.READY
            self._settle_memory()
            print(self._write_banner(new_key), flush=True)
            await self._asked_to_stop.wait()
            self._gateway.phase = Phase.DRAINING
            until = loop.time() + self._settings.drain
            cancelled = await self._listener.stop(self._settings.drain, self._asked_to_hurry)
            await self._drain_background(until - loop.time())
            if cancelled:
                logger.warning("Stopped: %d answers were cancelled because they had not ended in time", cancelled)
        finally:
            await self._runtime.close()
        return _FORCED if cancelled and self._asked_to_hurry.is_set() else 0

    async def _drain_background(self, seconds: float) -> None:
        """Give background responses some seconds to end, or less if a second signal arrives."""
        draining = asyncio.ensure_future(self._runtime.drain(seconds))
        hurry = asyncio.ensure_future(self._asked_to_hurry.wait())
        await asyncio.wait((draining, hurry), return_when=asyncio.FIRST_COMPLETED)
        hurry.cancel()
        draining.cancel()

    async def _open(self) -> None:
        try:
            await self._runtime.start()
        except OSError as error:
            reason = error.strerror or str(error)
            raise LedgerError(
                f"the data directory {self._data} cannot be used: {reason}; name another with --data"
            ) from error

    def _on_signal(self) -> None:
        """Drain at the first signal, cancel running answers at the second, exit at the third.

        The third loses no records: each is in the journal before its answer ends.
        """
        self._signals += 1
        self._gateway.phase = Phase.DRAINING
        self._asked_to_stop.set()
        if self._signals == 2:
            self._asked_to_hurry.set()
        elif self._signals > 2:
            os._exit(_FORCED)

    def _find_new_admin_key(self) -> str | None:
        keys = self._runtime.keys
        if keys is None or self._settings.auth == "open":
            return None
        return keys.ensure_admin(self._data / ADMIN_KEY_FILE)

    def _settle_memory(self) -> None:
        """Exclude the objects of the start from garbage collection: they live as long as the process.

        Requests free their objects by reference counts. Collections cost pauses: a full one took 100 ms with 2,000 open
        streams (docs/decisions/0005-http-server.md).
        """
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 20, 50)
        # With the default of 5 ms, a call may wait that long for another thread to yield the interpreter.
        sys.setswitchinterval(0.0005)

    def _write_banner(self, new_key: str | None) -> str:
        host = self._settings.host
        shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
        key_file = None if self._settings.auth == "open" else self._data / ADMIN_KEY_FILE
        return write_banner(f"http://{shown}:{self._listener.port}", new_key=new_key, key_file=key_file)
