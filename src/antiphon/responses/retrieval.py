"""Retrieval of responses that their provider stores: only the key that created one can reach it there."""

import asyncio
from urllib.parse import quote

import msgspec
from msgspec import structs

from antiphon.catalog.operations import Operation
from antiphon.clock import make_id, monotonic, read_time_us
from antiphon.engine import pipeline
from antiphon.engine.call import Answer, AttemptContext, Call
from antiphon.engine.operation_call import OperationRequest, exchange_operation
from antiphon.engine.outcome import Committed
from antiphon.engine.services import Services
from antiphon.errors import ModelNotFound
from antiphon.responses.store import ResponseStore
from antiphon.types import Caller, Model, Outcome, Target, Usage
from antiphon.wires.responses.history import ProviderStored, make_response_not_found
from antiphon.wires.responses.retrieval import RetrieveWire
from antiphon.wires.wire import Envelope

_ROW = Operation("responses", "/v1/responses", "any", model=False, free=True)
_WIRE = RetrieveWire()


class Retrieval(msgspec.Struct, frozen=True, eq=False):
    """A request about a stored response: ``place`` names its provider, ``below`` is the path after the id."""

    caller: Caller
    method: str
    name: str
    place: ProviderStored
    below: str = ""
    query: str = ""


async def ask_provider(services: Services, store: ResponseStore, retrieval: Retrieval) -> Answer:
    """Return the provider's answer; raises :class:`~antiphon.errors.NotFound` if it is no longer configured."""
    try:
        target = services.catalog.resolve(retrieval.place.target).targets[0]
    except ModelNotFound:
        raise make_response_not_found(retrieval.name) from None
    envelope = Envelope(target.model, False, False, 1, {})
    call = Call(
        make_id("call"), read_time_us(), monotonic(), _ROW.name, _WIRE, envelope, b"", retrieval.caller, services,
        RetrievalCall(store, retrieval), (), services.hooks,
    )  # fmt: skip
    return await pipeline.run(call)


class RetrievalCall:
    """The procedure of a retrieval (:class:`antiphon.engine.call.Procedure`).

    Usage is billed once: the first time that the answer shows the response as ended.
    """

    names_model = False

    def __init__(self, store: ResponseStore, retrieval: Retrieval) -> None:
        below = f"/{quote(retrieval.name, safe='')}{retrieval.below}"
        self._request = OperationRequest(_ROW, retrieval.method, below=below, query=retrieval.query)
        self._store = store
        self._retrieval = retrieval

    def resolve(self, call: Call) -> Model:
        return call.services.catalog.resolve(self._retrieval.place.target)

    def filter_able(self, call: Call, model: Model) -> Model | None:
        return model

    async def exchange(self, attempt: AttemptContext) -> Committed:
        committed = await exchange_operation(attempt, self._request, reads_whole=True)
        if committed.usage is None:
            return committed
        return structs.replace(committed, usage=committed.usage if await self._bill_once() else None)

    def can_move(self) -> bool:
        return False

    def estimate_usage(self, call: Call, output_bytes: int) -> Usage | None:
        return None

    def is_free(self, call: Call, target: Target | None, outcome: Outcome) -> bool:
        return True

    async def _bill_once(self) -> bool:
        """Mark the usage as billed; return false if it already was."""
        retrieval = self._retrieval
        place = retrieval.place
        if place.settled:
            return False
        settled = structs.replace(place, settled=True).encode()
        change = self._store.change
        return await asyncio.to_thread(change, retrieval.caller.key_id, retrieval.name, place.encode(), settled)
