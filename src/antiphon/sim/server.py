"""The standalone simulator: a provider on a real socket, which logs the requests it serves.

Beside the provider's paths it answers ``GET /sim/served`` (the log), ``DELETE /sim/served`` (empties it) and
``GET /sim/connections`` (the other open connections). It is a tool for tests: it accepts any key and sets no deadlines,
so it should listen on a loopback address.
"""

import asyncio
import signal
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import msgspec

from antiphon import clock
from antiphon.sim.connection import Connection, HttpRequest
from antiphon.sim.faults import plan_json
from antiphon.sim.request_log import LogEntry, RequestLog, record_answer, remove_credentials
from antiphon.sim.response_plan import ResponsePlan
from antiphon.sim.script import Script
from antiphon.sim.simulator import Simulator
from antiphon.sim.wire_format import write_openai_error


class SimServer:
    """A simulated provider; ``script``, ``tps`` and ``seed`` are those of :class:`~antiphon.sim.simulator.Simulator`.

    ``record`` keeps the headers, the body and the answer of each request in the log, in memory and without a bound. As
    an asynchronous context manager it listens on a free port of 127.0.0.1.
    """

    def __init__(
        self, script: Script | None = None, *, tps: float = 0.0, seed: int | None = None, record: bool = False
    ) -> None:
        self._record = record
        self._simulator = Simulator(script, tps=tps, seed=seed)
        self._connections: set[Connection] = set()
        self._server: asyncio.Server | None = None
        self.log = RequestLog()
        self.url = ""

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> str:
        """Listen and return the URL, without a path; raises ``OSError`` if the address cannot be used."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Connection(self._plan_response, self._connections), host, port)
        actual_port = self._server.sockets[0].getsockname()[1]
        self.url = f"http://[{host}]:{actual_port}" if ":" in host else f"http://{host}:{actual_port}"
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

    def _plan_response(self, request: HttpRequest, connection: Connection, entry: LogEntry) -> ResponsePlan:
        path = request.path.partition(b"?")[0].removeprefix(b"/v1")
        if path.startswith(b"/sim/"):
            control = _CONTROLS.get((request.method, path))
            return control(self, connection) if control is not None else _reject_control()
        self.log.add(entry)
        body, now = bytes(request.body), clock.read_time_us() // 1_000_000
        plan = self._simulator.plan_response(request.method, request.path, body, now, request.headers)
        if self._record:
            entry.headers, entry.body = remove_credentials(request.headers), body
            plan.steps = record_answer(plan.steps, entry)
        return plan

    def _show_log(self, client: Connection) -> ResponsePlan:
        return _plan_document(self.log.list_entries())

    def _clear_log(self, client: Connection) -> ResponsePlan:
        self.log.clear()
        return _plan_document({"cleared": True})

    def _show_connections(self, client: Connection) -> ResponsePlan:
        return _plan_document([_describe(connection) for connection in self._connections if connection is not client])


_CONTROLS: dict[tuple[bytes, bytes], Callable[[SimServer, Connection], ResponsePlan]] = {
    (b"GET", b"/sim/served"): SimServer._show_log,
    (b"DELETE", b"/sim/served"): SimServer._clear_log,
    (b"GET", b"/sim/connections"): SimServer._show_connections,
}


def _describe(connection: Connection) -> dict[str, Any]:
    entry = connection.entry
    return {
        "peer": connection.peer,
        "opened": connection.opened,
        "requests": connection.requests,
        "serving": entry.id if entry is not None and not entry.ended else None,
    }


def _plan_document(value: Any) -> ResponsePlan:
    return plan_json(200, msgspec.json.encode(value), [])


def _reject_control() -> ResponsePlan:
    known = ", ".join(f"{method.decode()} {path.decode()}" for method, path in _CONTROLS)
    message = f"There is no such control; known: {known}"
    return plan_json(404, write_openai_error(404, message, "invalid_request_error", "not_found"), [])


async def serve(
    host: str,
    port: int,
    on_ready: Callable[[str], None],
    script: Script | None,
    tps: float,
    seed: int | None,
    record: bool = False,
) -> None:
    """Serve until SIGTERM or SIGINT; calls ``on_ready`` with the URL once it accepts connections."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    server = SimServer(script, tps=tps, seed=seed, record=record)
    on_ready(await server.start(host, port))
    await stop.wait()
    await server.close()
