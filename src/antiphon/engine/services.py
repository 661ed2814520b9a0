"""The services that a call uses, as one immutable snapshot.

The runtime replaces the snapshot as a whole. A call keeps the one that was in force when it began, so a change of the
configuration never reaches a running call.
"""

from typing import Protocol

import msgspec

from antiphon.catalog import Catalog, Settings
from antiphon.engine.deadline import Deadlines
from antiphon.engine.hook_chain import HookChain
from antiphon.engine.request_head import RequestHeads
from antiphon.engine.signing import Signers
from antiphon.ledger.journal import Journal
from antiphon.telemetry import Telemetry
from antiphon.transport import Transport


class Transports(Protocol):
    """The transports by the scheme of an origin."""

    def get(self, scheme: str) -> Transport:
        """Return the transport for a scheme, made on first use."""


class Services(msgspec.Struct, frozen=True, eq=False):
    """Everything outside the engine that a call may use. ``journal`` is ``None`` where nothing is recorded."""

    catalog: Catalog
    settings: Settings
    transports: Transports
    heads: RequestHeads
    signers: Signers
    telemetry: Telemetry
    deadlines: Deadlines
    journal: Journal | None = None
    hooks: HookChain = HookChain()
    """The hooks of every call."""
