"""Where services are wired, and the only place: catalog, transports, journal, ledger, keys, telemetry, responses."""

import asyncio
from collections.abc import Awaitable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import structs

from antiphon.catalog import Catalog, Settings
from antiphon.clock import make_id, monotonic, read_time_us
from antiphon.engine import pipeline
from antiphon.engine.call import Answer, Call
from antiphon.engine.deadline import Deadlines
from antiphon.engine.generation import Generation
from antiphon.engine.operation_call import OperationCall, OperationRequest, read_envelope
from antiphon.engine.request_head import ForwardedHeaders, RequestHeads
from antiphon.engine.services import Services
from antiphon.engine.signing import Signers
from antiphon.telemetry import Telemetry
from antiphon.transport import Supervisor, Transport
from antiphon.types import Caller
from antiphon.wires.operations import get_operation_wire
from antiphon.wires.table import get_wire

if TYPE_CHECKING:
    from antiphon.callers.keys import Keys
    from antiphon.database.database import Database
    from antiphon.ledger.periodic import PeriodicTasks
    from antiphon.ledger.supervisor import ShipperSupervisor
    from antiphon.responses.service import ResponsesService
    from antiphon.responses.store import ResponseStore

TRANSPORTS = {
    "http": "antiphon.transport.http:HttpTransport",
    "https": "antiphon.transport.http:HttpTransport",
    "sim": "antiphon.sim.transport:SimTransport",
    "longtail": "antiphon.longtail.transport:LongtailTransport",
    "local": "antiphon.local.transport:LocalTransport",
}
"""Origin scheme to the transport that goes there; schemes with the same entry share one."""
TRANSPORT_SETTINGS: dict[str, tuple[str, ...]] = {
    "http": ("ca_file",),
    "https": ("ca_file",),
    "longtail": ("data", "ca_file", "longtail_workers", "longtail_in_flight"),
}
"""Origin scheme to the settings that its transport is made with."""
CONTINUING = frozenset(("responses", "input_tokens"))
"""Operations whose requests may continue an answer that is kept; they get the hooks of the responses room."""
SHIPPER_TASKS = ("antiphon.responses.store:make_sweep",)
"""Factories of what the shipper does beside moving records; see ``antiphon.ledger.supervisor``."""

GENERATION = Generation()


class TransportTable:
    """The transports by scheme, each made on first use; see :class:`antiphon.engine.services.Transports`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._made: dict[str, Transport] = {}

    def get(self, scheme: str) -> Transport:
        """Return the transport for an origin's scheme."""
        where = TRANSPORTS[scheme]
        transport = self._made.get(where)
        if transport is None:
            module, _, name = where.partition(":")
            options = {name: getattr(self._settings, name) for name in TRANSPORT_SETTINGS.get(scheme, ())}
            transport = self._made[where] = getattr(import_module(module), name)(**options)
        return transport

    def can_serve(self, settings: Settings) -> bool:
        """Say whether these transports are what the settings ask for."""
        names = {name for names in TRANSPORT_SETTINGS.values() for name in names}
        return all(getattr(settings, name) == getattr(self._settings, name) for name in names)

    def read_health(self) -> dict[str, Any]:
        """Return what transports say that look after processes; empty while none of them is in use."""
        found: dict[str, object] = {scheme: self._made.get(where) for scheme, where in TRANSPORTS.items()}
        return {scheme: each.read_health() for scheme, each in found.items() if isinstance(each, Supervisor)}

    async def close(self) -> None:
        """Close every transport."""
        for transport in self._made.values():
            await transport.close()
        self._made.clear()


class Runtime:
    """The services behind calls. ``data`` is the directory of journal and ledger, or ``None`` to record nothing.

    ``shipper_process`` allows a child process that moves records from the journal to the ledger.

    Use from one event loop: ``await start()``, then :meth:`ask`, then ``await close()``.
    """

    def __init__(self, catalog: Catalog, *, data: str | None = None, shipper_process: bool = False) -> None:
        transports = TransportTable(catalog.settings)
        self.services = Services(
            catalog, catalog.settings, transports, RequestHeads(), Signers(), Telemetry(), Deadlines()
        )
        """The snapshot for the next call."""
        self.keys: Keys | None = None
        self._transports = [transports]
        """Those in use, the newest last; older ones may still serve running calls."""
        self._data = Path(data) if data is not None else None
        self._database: Database | None = None
        self._shipper: ShipperSupervisor | None = None
        self._shipper_process = shipper_process
        self._periodic_tasks: PeriodicTasks | None = None
        self._store: ResponseStore | None = None
        self._responses: ResponsesService | None = None

    @property
    def catalog(self) -> Catalog:
        """The catalog for the next call."""
        return self.services.catalog

    @property
    def responses(self) -> "ResponsesService":
        """The kept and background responses; made on first use."""
        if self._responses is None:
            from antiphon.responses.service import ResponsesService

            self._responses = ResponsesService(self._store)
        return self._responses

    async def start(self) -> None:
        """Open journal, ledger and keys; raises :class:`~antiphon.errors.LedgerError` where they cannot be opened."""
        if self._data is not None:
            await asyncio.to_thread(self._open_ledger, self._data)

    def replace_catalog(self, catalog: Catalog) -> None:
        """Let later calls use another configuration; running calls keep theirs.

        The data directory and its journal stay what they were at the start.
        """
        transports = self._transports[-1]
        if not transports.can_serve(catalog.settings):
            transports = TransportTable(catalog.settings)
            self._transports.append(transports)
        self.services = structs.replace(
            self.services,
            catalog=catalog,
            settings=catalog.settings,
            transports=transports,
            heads=RequestHeads(),
            signers=Signers(),
        )

    def ask(
        self,
        operation: str,
        body: bytes,
        caller: Caller,
        headers: ForwardedHeaders = (),
        *,
        model: str = "",
        stream: bool | None = None,
    ) -> Awaitable[Answer]:
        """Answer a request whose body is read; ``model`` and ``stream`` are given where they stand in the path.

        Raises :class:`~antiphon.errors.CallError`.
        """
        started, time_us = monotonic(), read_time_us()
        wire = get_wire(operation)
        envelope = wire.peek(body, model, stream)
        services = self.services
        call = Call(
            make_id("call"), time_us, started, operation, wire, envelope, body, caller, services, GENERATION, headers,
            services.hooks,
        )  # fmt: skip
        if operation in CONTINUING:
            call = self.responses.add_hooks(call)
        return pipeline.run(call)

    async def ask_operation(self, request: OperationRequest, caller: Caller) -> Answer:
        """Answer a request of the operations table, whose body passes unread; raises as :meth:`ask`."""
        started, time_us = monotonic(), read_time_us()
        services, operation = self.services, request.row.name
        wire = get_operation_wire(operation)
        envelope = await read_envelope(services, request, wire)
        call = Call(
            make_id("call"), time_us, started, operation, wire, envelope, request.body, caller, services,
            OperationCall(request, wire), (), services.hooks,
        )  # fmt: skip
        return await pipeline.run(call)

    def read_health(self) -> dict[str, Any]:
        """Return what transports say that look after processes; empty while none of them is in use."""
        return self._transports[-1].read_health()

    async def drain(self, seconds: float) -> None:
        """Let background responses end by themselves for some seconds, then stop them."""
        if self._responses is not None:
            await self._responses.drain(seconds)

    async def close(self) -> None:
        """Stop background responses, close connections, then ship and close the ledger."""
        await self.drain(0)
        for transports in self._transports:
            await transports.close()
        if self._data is not None:
            try:
                await asyncio.to_thread(self._close_ledger)
            except RuntimeError:  # the interpreter is leaving, and its thread pools take no work any more
                self._close_ledger()

    def _open_ledger(self, data: Path) -> None:
        from antiphon.callers.keys import Keys
        from antiphon.database.database import Database
        from antiphon.ledger.journal import Journal
        from antiphon.ledger.periodic import PeriodicTasks
        from antiphon.ledger.supervisor import ShipperSupervisor
        from antiphon.responses.store import ResponseStore

        settings = self.services.settings
        data.mkdir(parents=True, exist_ok=True)
        self._database = Database(f"sqlite:///{data / 'antiphon.db'}")
        self._database.prepare()
        self.keys = Keys(self._database)
        self.keys.refresh()
        journal = Journal(data / "journal", settings.durability, settings.journal_cap)
        self.services = structs.replace(self.services, journal=journal)
        self._store = ResponseStore(self._database)
        self._shipper = ShipperSupervisor(journal, self._database, tasks=SHIPPER_TASKS, separate=self._shipper_process)
        self._periodic_tasks = PeriodicTasks([self.keys.refresh, self._shipper.run])
        self._periodic_tasks.start()

    def _close_ledger(self) -> None:
        if self._periodic_tasks is not None:
            self._periodic_tasks.stop()
        if self.services.journal is not None:
            self.services.journal.close()
        if self._shipper is not None:
            self._shipper.stop()
        if self._store is not None:
            self._store.close()
        if self._database is not None:
            self._database.close()
