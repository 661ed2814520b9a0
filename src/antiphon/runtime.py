"""Where services are wired, and the only place: catalog, transports, journal, ledger, keys, telemetry."""

import asyncio
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from antiphon.catalog import Catalog
from antiphon.engine import pipeline
from antiphon.engine.call import Answer, Call
from antiphon.engine.signing import Signers
from antiphon.telemetry import Telemetry
from antiphon.transport import Supervisor, Transport
from antiphon.transport.head import build_head
from antiphon.types import Target
from antiphon.wires.wire import Wire

if TYPE_CHECKING:
    from antiphon.callers.keys import Keys
    from antiphon.database.database import Database
    from antiphon.engine.background import Work
    from antiphon.engine.relay import Relayed
    from antiphon.ledger.journal import Journal
    from antiphon.ledger.shipper import Shipper
    from antiphon.responses.store import Conversations

TRANSPORTS = {
    "http": "antiphon.transport.http:HttpTransport",
    "https": "antiphon.transport.http:HttpTransport",
    "sim": "antiphon.sim.transport:SimTransport",
    "longtail": "antiphon.longtail.transport:LongtailTransport",
    "local": "antiphon.local.transport:LocalTransport",
}
"""Origin scheme to the transport that goes there; schemes with the same entry share one."""
OPTIONS: dict[str, tuple[str, ...]] = {
    "http": ("ca_file",),
    "https": ("ca_file",),
    "longtail": ("data", "ca_file", "longtail_workers", "longtail_in_flight"),
}
"""Origin scheme to the settings that its transport is made with."""

Forwarded: TypeAlias = tuple[tuple[bytes, bytes], ...]
USER_AGENT = "antiphon"
_HEADS_LIMIT = 4096


class Runtime:
    """The services behind calls. ``data`` is the directory of journal and ledger, or ``None`` to record nothing.

    Use from one event loop: ``await start()``, then :meth:`ask`, then ``await close()``.
    """

    def __init__(self, catalog: Catalog, *, data: str | None = None) -> None:
        self.catalog = catalog
        self.telemetry = Telemetry()
        self.signers = Signers()
        self.journal: Journal | None = None
        self.keys: Keys | None = None
        self.conversations: Conversations | None = None
        self.works: dict[str, Work] = {}
        """Responses that are being made in the background, by id."""
        self._data = Path(data) if data is not None else None
        self._database: Database | None = None
        self._shipper: Shipper | None = None
        self._transports: dict[str, Transport] = {}
        self._heads: dict[tuple[Target, str, Forwarded], bytes] = {}

    @property
    def refuses_records(self) -> bool:
        """Whether calls must be refused because they could not be recorded."""
        journal = self.journal
        return journal is not None and not journal.healthy and self.catalog.settings.on_journal_full == "refuse"

    async def start(self) -> None:
        """Open journal, ledger and keys; raises :class:`~antiphon.errors.LedgerError` where they cannot be opened."""
        if self._data is not None:
            await asyncio.to_thread(self._open_ledger, self._data)

    def _open_ledger(self, data: Path) -> None:
        from antiphon.callers.keys import Keys
        from antiphon.database.database import Database
        from antiphon.ledger.journal import Journal
        from antiphon.ledger.shipper import Shipper
        from antiphon.responses.store import Conversations

        settings = self.catalog.settings
        data.mkdir(parents=True, exist_ok=True)
        self._database = Database(f"sqlite:///{data / 'antiphon.db'}")
        self._database.prepare()
        self.keys = Keys(self._database)
        self.keys.refresh()
        self.journal = Journal(data / "journal", settings.durability, settings.journal_cap)
        self.conversations = Conversations(self._database)
        ticks = [self.keys.refresh, self.conversations.sweep]
        self._shipper = Shipper(data / "journal", self._database, journal=self.journal, ticks=ticks)
        self._shipper.start()

    async def ask(self, call: Call) -> Answer:
        """Answer a call; see :func:`antiphon.engine.pipeline.ask`."""
        return await pipeline.ask(self, call)

    async def relay(self, call: "Relayed") -> Answer:
        """Pass a call of the operations table through; see :func:`antiphon.engine.relay.ask`."""
        from antiphon.engine import relay

        return await relay.ask(self, call)

    def transport(self, scheme: str) -> Transport:
        """Return the transport for an origin's scheme, made on first use."""
        where = TRANSPORTS[scheme]
        transport = self._transports.get(where)
        if transport is None:
            module, _, name = where.partition(":")
            options = {name: getattr(self.catalog.settings, name) for name in OPTIONS.get(scheme, ())}
            transport = self._transports[where] = getattr(import_module(module), name)(**options)
        return transport

    def health(self) -> dict[str, Any]:
        """Return what transports that look after processes of their own say of them; empty while none is in use."""
        found: dict[str, object] = {scheme: self._transports.get(where) for scheme, where in TRANSPORTS.items()}
        return {scheme: each.health() for scheme, each in found.items() if isinstance(each, Supervisor)}

    def head(self, target: Target, operation: str, wire: Wire, forwarded: Forwarded) -> bytes:
        """Return the request head for an operation that a target offers, with the caller's headers that go on."""
        key = (target, operation, forwarded)
        head = self._heads.get(key)
        if head is None:
            if len(self._heads) >= _HEADS_LIMIT:
                self._heads.clear()
            head = self._heads[key] = _head(target, operation, wire, forwarded)
        return head

    async def rest(self, seconds: float) -> None:
        """Let responses in the background end by themselves for some seconds, then stop them."""
        if self.works:
            from antiphon.engine.background import rest

            await rest(self, seconds)

    async def close(self) -> None:
        """Stop what runs in the background, close connections, then ship and close the ledger."""
        await self.rest(0)
        for transport in self._transports.values():
            await transport.close()
        self._transports.clear()
        if self._data is not None:
            try:
                await asyncio.to_thread(self._close_ledger)
            except RuntimeError:  # the interpreter is leaving, and its thread pools take no work any more
                self._close_ledger()

    def _close_ledger(self) -> None:
        if self.journal is not None:
            self.journal.close()
        if self._shipper is not None:
            self._shipper.stop()
        if self.conversations is not None:
            self.conversations.close()
        if self._database is not None:
            self._database.close()


def _head(target: Target, operation: str, wire: Wire, forwarded: Forwarded) -> bytes:
    return head_of("POST", target.urls[operation], target, wire, forwarded)


def head_of(
    method: str,
    path: str,
    target: Target,
    wire: Wire,
    forwarded: Forwarded = (),
    content_type: str | bytes = "application/json",
) -> bytes:
    """Return the head of a request for ``path`` at a target's origin, with its credential."""
    given = {name for name, _ in forwarded} | {name.lower().encode() for name, _ in target.headers}
    headers: list[tuple[str | bytes, str | bytes]] = [
        *((("content-type", content_type),) if content_type else ()),
        ("user-agent", USER_AGENT),
        ("accept-encoding", "identity"),
        *target.headers,
        *forwarded,
        *(pair for pair in wire.requires if pair[0] not in given),
    ]
    if target.auth is not None and target.credential:
        name, prefix = target.auth
        headers.append((name, prefix + target.credential.reveal()))
    return build_head(method, path, headers, target.origin)
