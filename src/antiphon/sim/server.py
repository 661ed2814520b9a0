"""The standalone simulator: a provider on a real socket, which keeps a log of what it served.

Beside the provider's own paths it answers ``GET /sim/served`` (the log), ``DELETE /sim/served`` (empties it) and
``GET /sim/connections`` (the other connections that are open). It is a tool for tests: any key will do and it sets no
deadlines, so it should listen on a loopback address.
"""

import asyncio
import signal
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import msgspec

from antiphon import clock
from antiphon.sim.brain import Brain
from antiphon.sim.connection import Connection, Exchange
from antiphon.sim.dialect import openai_error
from antiphon.sim.faults import document
from antiphon.sim.performance import Performance
from antiphon.sim.script import Script
from antiphon.sim.served import Log, Served, recorded, shown


class SimServer:
    """A simulated provider; ``script``, ``tps`` and ``seed`` are as in the simulator's brain.

    ``record`` keeps the header, the body and the answer of each request in the log, in memory without a
    bound. As an asynchronous context manager it listens on a free port of 127.0.0.1.
    """

    def __init__(
        self, script: Script | None = None, *, tps: float = 0.0, seed: int | None = None, record: bool = False
    ) -> None:
        self._record = record
        self._brain = Brain(script, tps=tps, seed=seed)
        self._connections: set[Connection] = set()
        self._server: asyncio.Server | None = None
        self.log = Log()
        self.url = ""

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> str:
        """Listen and return the URL, without a path; raises ``OSError`` where the address cannot be used."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Connection(self._answer, self._connections), host, port)
        bound = self._server.sockets[0].getsockname()[1]
        self.url = f"http://[{host}]:{bound}" if ":" in host else f"http://{host}:{bound}"
        return self.url

    async def close(self) -> None:
        """Stop listening and close every connection at once."""
        if self._server is not None:
            self._server.close()
            for connection in list(self._connections):
                connection.close()
            await self._server.wait_closed()
            self._server = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def _answer(self, exchange: Exchange, connection: Connection, entry: Served) -> Performance:
        path = exchange.path.partition(b"?")[0].removeprefix(b"/v1")
        if path.startswith(b"/sim/"):
            control = _CONTROLS.get((exchange.method, path))
            return control(self, connection) if control is not None else _unknown()
        self.log.add(entry)
        body, now = bytes(exchange.body), clock.now_us() // 1_000_000
        answer = self._brain.perform(exchange.method, exchange.path, body, now, exchange.headers)
        if self._record:
            entry.headers, entry.body = shown(exchange.headers), body
            answer.steps = recorded(answer.steps, entry)
        return answer

    def _served(self, asking: Connection) -> Performance:
        return _json(self.log.entries())

    def _clear(self, asking: Connection) -> Performance:
        self.log.clear()
        return _json({"cleared": True})

    def _open(self, asking: Connection) -> Performance:
        return _json([_described(connection) for connection in self._connections if connection is not asking])


_CONTROLS: dict[tuple[bytes, bytes], Callable[[SimServer, Connection], Performance]] = {
    (b"GET", b"/sim/served"): SimServer._served,
    (b"DELETE", b"/sim/served"): SimServer._clear,
    (b"GET", b"/sim/connections"): SimServer._open,
}


def _described(connection: Connection) -> dict[str, Any]:
    entry = connection.entry
    return {
        "peer": connection.peer,
        "opened": connection.opened,
        "requests": connection.requests,
        "serving": entry.id if entry is not None and not entry.ended else None,
    }


def _json(value: Any) -> Performance:
    return document(200, msgspec.json.encode(value), [])


def _unknown() -> Performance:
    known = ", ".join(f"{method.decode()} {path.decode()}" for method, path in _CONTROLS)
    return document(
        404, openai_error(404, f"There is no such control; known: {known}", "invalid_request_error", "not_found"), []
    )


async def serve(
    host: str,
    port: int,
    ready: Callable[[str], None],
    script: Script | None,
    tps: float,
    seed: int | None,
    record: bool = False,
) -> None:
    """Serve until SIGTERM or SIGINT; ``ready`` gets the URL once connections are accepted."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    server = SimServer(script, tps=tps, seed=seed, record=record)
    ready(await server.start(host, port))
    await stop.wait()
    await server.close()
