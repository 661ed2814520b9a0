"""The history of a request: earlier turns and items are resolved before a call, its own turn is stored after it.

This is the engine's first user of hooks. The pure part (what to join and what to store) is in ``wires.responses``, the
rows are in ``store``. If the provider stores a response itself, only its place is stored here: its key and its target.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from typing import Any, TypeVar

import msgspec
from msgspec import structs

from antiphon.engine.call import Call
from antiphon.engine.hook_chain import Notice
from antiphon.engine.hooks import Hook
from antiphon.engine.outcome import Committed
from antiphon.errors import BadAnswer, BadRequest, LedgerError, Unavailable
from antiphon.responses.store import KeptResponse, ResponseStore
from antiphon.routing import filter_targets
from antiphon.types import Model, Target
from antiphon.wires.json_text import encode_json
from antiphon.wires.responses.history import (
    PROVIDER_STATE_FIELDS,
    History,
    ProviderStored,
    Turn,
    can_store_responses,
    make_previous_not_completed,
    make_previous_not_found,
    may_store,
)
from antiphon.wires.responses.replay import is_unfinished

Result = TypeVar("Result")

KEPT_OPERATIONS = frozenset(("responses",))
"""Operations whose answers are stored."""
_CONTINUABLE = frozenset(("completed", "incomplete", None))


class TurnKeeper(Hook):
    """Stores the turn of one call once its answer is recorded."""

    def __init__(self, store: ResponseStore, key_id: str, history: History, document: dict[str, Any]) -> None:
        self._store = store
        self._key_id = key_id
        self._history = history
        self._document = document
        self._is_background = document.get("background") is True
        self._place: KeptResponse | None = None
        self._place_kept: Future[str] | None = None

    async def on_commit(self, call: Call, committed: Committed) -> None:
        """Store the place of a response that its provider stores, so that a caller who leaves can retrieve it later."""
        if committed.stream is None:
            return
        self._keep_place(committed.target, committed.stream.translator.begun)
        if self._place_kept is not None and self._is_background:
            await asyncio.wrap_future(self._place_kept)

    async def before_last_byte(self, call: Call, target: Target, response: bytes, cuts: Sequence[int]) -> Notice | None:
        """Store the turn that ends with this response; return a notice to the caller if that was not possible."""
        problem = await self._keep(target, response, cuts)
        if not problem:
            return None
        return Notice(b"x-antiphon-not-stored", problem.encode(), b"not stored: " + problem.encode())

    async def keep_background(
        self, response: bytes, cuts: Iterable[int] = (), end: int = 0, *, again: bool, owner: str
    ) -> str:
        """Store a background response when it begins and, with ``again``, when it has ended.

        ``owner`` names the process that makes it. Returns why it could not be stored, or an empty text. It cannot be
        stored if its lease expired and another process has shown it as failed.
        """
        make = self._make_turn
        put = self._store.put(self._key_id, lambda: make(response, cuts, end, again=again, owner=owner))
        return await asyncio.wrap_future(put)

    async def _keep(self, target: Target, response: bytes, cuts: Iterable[int]) -> str:
        if not response:
            return ""
        if can_keep_responses(target):
            self._keep_place(target, response)
            if self._place_kept is not None:
                await asyncio.wrap_future(self._place_kept)
            await self._update_place(target, response)
            return ""
        return await asyncio.wrap_future(self._store.put(self._key_id, lambda: self._make_turn(response, cuts)))

    def _keep_place(self, target: Target, response: bytes) -> None:
        if self._place_kept is not None or not can_keep_responses(target):
            return
        if place := _make_place(target, response, self._is_background):
            self._place = place
            self._place_kept = self._store.put(self._key_id, lambda: place)

    async def _update_place(self, target: Target, response: bytes) -> None:
        """Record that a background stream has ended, and that its usage is therefore known."""
        now, before = _make_place(target, response, self._is_background), self._place
        if now is not None and before is not None and now.data != before.data:
            put = self._store.put(self._key_id, lambda: structs.replace(now, again=True))
            await asyncio.wrap_future(put)

    def _make_turn(
        self, response: bytes, cuts: Iterable[int] = (), end: int = 0, *, again: bool = False, owner: str = ""
    ) -> KeptResponse:
        turn = self._history.make_turn(self._document, response, cuts, end)
        output = turn.response.get("output")
        if not isinstance(output, list) or not all(isinstance(item, dict) for item in output):
            raise BadAnswer("The `output` of the response is not a list of items.")
        items = tuple(item["id"] for item in turn.list_items() if isinstance(item.get("id"), str))
        return KeptResponse(turn.id, turn.previous, turn.encode(), again, items, owner)


class ResolvedRequest(msgspec.Struct, frozen=True, eq=False):
    """A resolved request: the call with its history, the model's targets that can answer it, and its keeper.

    ``in_background`` says that this gateway makes the response in the background, because no target can.
    """

    call: Call
    model: Model
    keeper: TurnKeeper | None = None
    in_background: bool = False


class _Past(msgspec.Struct):
    """The response that a request continues: its turns, or its place, or the fact that another key owns it."""

    turns: list[Turn] = []
    missing: str = ""
    place: ProviderStored | None = None
    is_foreign: bool = False


async def resolve_history(store: ResponseStore | None, call: Call, model: Model) -> ResolvedRequest:
    """Return a request with the turns that it continues.

    An id that is not stored here may be known to targets that store responses themselves, so the request goes to those.
    If it is known which provider stores it, the request goes only there. Raises
    :class:`~antiphon.errors.BadRequest` for an id that no target can know, and for a feature that no target has.
    """
    envelope, key_id = call.envelope, call.caller.key_id
    document = envelope.document
    is_background = document.get("background") is True
    keeping = filter_targets(model, can_keep_responses)
    if keeping is None:
        _refuse_without_keeper(document, is_background, store)
    elif is_background or any(document.get(name) for name in PROVIDER_STATE_FIELDS):
        model = keeping
    history, model, must_join = await _find_turns(store, key_id, document, model, keeping)
    if must_join:
        joined = history.join(document)
        # Targets of the caller's wire get the body as bytes, so the joined document must be encoded.
        is_sent_as_is = any(call.operation in target.urls for target in model.targets)
        body = encode_json(joined) if is_sent_as_is else call.body
        call = structs.replace(call, envelope=structs.replace(envelope, document=joined), body=body)
    if store is None or call.operation not in KEPT_OPERATIONS or not may_store(document):
        return ResolvedRequest(call, model)
    keeper = TurnKeeper(store, key_id, history, document)
    return ResolvedRequest(call, model, keeper, is_background and keeping is None)


def _refuse_without_keeper(document: dict[str, Any], is_background: bool, store: ResponseStore | None) -> None:
    """Raise if a request needs a store: the provider's, which no target has, or the gateway's, which is off."""
    for name, why in PROVIDER_STATE_FIELDS.items():
        if document.get(name):
            raise BadRequest(f"`{name}` cannot be used with this model: {why}.", param=name)
    if is_background and not may_store(document):
        raise BadRequest(
            "`background` needs `store`: the response has to be stored until it is retrieved.", param="store"
        )
    if is_background and store is None:
        raise BadRequest(
            "`background` cannot be used: this gateway runs without a data directory, so it stores no responses.",
            param="background",
        )


async def _find_turns(
    store: ResponseStore | None, key_id: str, document: dict[str, Any], model: Model, keeping: Model | None
) -> tuple[History, Model, bool]:
    """Return the history of a request, the targets that can answer it, and whether the history must be joined."""
    past = _Past()
    if previous := document.get("previous_response_id"):
        past = await _find_past(store, key_id, previous)
        if not past.turns:
            return History(), _find_knowing(past, previous, keeping), False
    history = History(past.turns)
    missing = history.list_missing(document)
    if not missing:
        return history, model, bool(past.turns)
    history = History(past.turns, await _read(lambda: _find_holding(store, key_id, missing)))
    if keeping is not None and not past.turns and history.list_missing(document):
        return history, keeping, False  # the providers may have stored the items
    return history, model, True


def _find_knowing(past: _Past, previous: str, keeping: Model | None) -> Model:
    """Return the targets that may know a response that is not stored here."""
    if past.place is not None and keeping is not None:
        provider = past.place.target.partition("/")[0]
        keeping = filter_targets(keeping, lambda target: target.provider == provider)
    if keeping is None or past.is_foreign:
        raise make_previous_not_found(past.missing or previous)
    return keeping


async def _find_past(store: ResponseStore | None, key_id: str, response_id: str) -> _Past:
    if store is None:
        return _Past(missing=response_id)

    def read() -> _Past:
        found, missing = store.list_turns(key_id, response_id)
        if not found:
            return _Past(missing=response_id, is_foreign=store.find_holder(response_id) is not None)
        if (place := ProviderStored.try_decode(found[-1])) is not None:
            return _Past(place=place)
        return _Past([Turn.decode(data) for data in found], missing)

    past = await _read(read)
    if past.turns and past.missing:
        raise make_previous_not_found(past.missing)
    status = past.turns[-1].response.get("status") if past.turns else None
    if status not in _CONTINUABLE:
        raise make_previous_not_completed(response_id, str(status))
    return past


def _find_holding(store: ResponseStore | None, key_id: str, items: list[str]) -> list[Turn]:
    if store is None:
        return []
    return [Turn.decode(data) for data in store.list_holding(key_id, items)]


async def _read(read: Callable[[], Result]) -> Result:
    """Run a blocking read of the store in a thread; raises :class:`~antiphon.errors.Unavailable` if it fails."""
    try:
        return await asyncio.to_thread(read)
    except LedgerError as problem:
        raise Unavailable(
            "Stored responses cannot be read at the moment.", code="responses_unavailable", retry_after=1.0
        ) from problem


def can_keep_responses(target: Target) -> bool:
    """Return whether a target stores its responses."""
    return can_store_responses(target.urls, target.quirks)


class _ResponseHead(msgspec.Struct):
    id: str
    status: str | None = None


_decode_head = msgspec.json.Decoder(_ResponseHead).decode


def _make_place(target: Target, response: bytes, is_background: bool) -> KeptResponse | None:
    try:
        head = _decode_head(response)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    # The usage of a background response is only known when a later retrieval shows it as ended.
    is_settled = not is_background or not is_unfinished({"status": head.status})
    return KeptResponse(head.id, "", ProviderStored(target.name, is_settled).encode())
