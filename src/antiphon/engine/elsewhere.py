"""Responses that their provider keeps: whoever asked for one reaches it there, and nobody else does."""

import asyncio
from typing import TYPE_CHECKING
from urllib.parse import quote

from msgspec import structs

from antiphon.catalog.operations import Operation
from antiphon.engine.call import Answer
from antiphon.engine.relay import Leg, Relayed, carried
from antiphon.errors import ModelNotFound
from antiphon.types import Caller, Usage
from antiphon.wires.responses.history import ProviderStored, make_response_not_found
from antiphon.wires.responses.retrieval import RetrieveWire
from antiphon.wires.wire import Envelope

if TYPE_CHECKING:
    from antiphon.runtime import Runtime

_ROW = Operation("responses", "/v1/responses", "any", model=False, free=True)
_WIRE = RetrieveWire()


class Look(Relayed):
    """A call about a response; ``place`` says where it is kept, ``below`` begins with its name."""

    __slots__ = ("name", "place")

    def __init__(self, caller: Caller, method: str, name: str, place: ProviderStored, below: str, query: str) -> None:
        super().__init__(_ROW, caller, method=method, below=f"/{quote(name, safe='')}{below}", query=query)
        self.name = name
        self.place = place


async def ask(run: "Runtime", call: Look) -> Answer:
    """Return what the provider says; raises :class:`~antiphon.errors.NotFound` where it is not configured any more."""
    try:
        target = run.catalog.resolve(call.place.target).targets[0]
    except ModelNotFound:
        raise make_response_not_found(call.name) from None
    envelope = Envelope(target.model, False, False, 1, {})
    return await carried(run, call, _WIRE, envelope, (target,), _Leg)


class _Leg(Leg):
    """The way to the provider and back."""

    __slots__ = ()

    def _is_read(self, kind: bytes) -> bool:
        return True

    async def used(self) -> Usage | None:
        """Return what was used, once, where the response had not ended when it was answered first."""
        usage, call = await super().used(), self._call
        assert isinstance(call, Look)
        store, place = self._run.conversations, call.place
        if usage is None or store is None or place.settled:
            return None
        settled = structs.replace(place, settled=True).encode()
        first = await asyncio.to_thread(store.change, call.caller.key_id, call.name, place.encode(), settled)
        return usage if first else None
