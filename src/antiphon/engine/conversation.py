"""Conversations that we keep because the target keeps none: joined before a call, kept after its answer.

The engine's side of ``wires/responses/thread``, which says what to join and what to keep, and of ``conversations``,
which keeps it. Of a response that its provider keeps, we keep whose it is and who answered it.
"""

import asyncio
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from msgspec import structs

from antiphon.engine.call import Call
from antiphon.errors import BadAnswer, BadRequest, LedgerError, Unavailable
from antiphon.responses.store import Kept
from antiphon.routing import narrowed
from antiphon.types import Model, Target
from antiphon.wires import Envelope
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

if TYPE_CHECKING:
    from antiphon.responses.store import Conversations
    from antiphon.runtime import Runtime

Read = TypeVar("Read")

KEPT = frozenset(("responses",))
"""Operations whose answers are kept."""
_FOLLOWED = frozenset(("completed", "incomplete", None))


class Conversation:
    """What one call goes on from, and where its own turn is kept."""

    __slots__ = ("_background", "_document", "_key_id", "_noted", "_place", "_store", "_thread", "here")

    def __init__(
        self, store: "Conversations", key_id: str, thread: History, document: dict[str, Any], *, here: bool
    ) -> None:
        self.here = here
        """The response is to be made in the background, and no target does that itself."""
        self._store = store
        self._key_id = key_id
        self._thread = thread
        self._document = document
        self._background = document.get("background") is True
        self._place: Kept | None = None
        self._noted: Future[str] | None = None

    async def keep(self, target: Target, response: bytes, cuts: Iterable[int] = ()) -> str:
        """Keep the turn that ends with a target's response object; of one that keeps it itself, who that is.

        Returns why it could not be kept, or nothing.
        """
        if not response:
            return ""
        if _keeps(target):
            self._note(target, response)
            if self._noted is not None:
                await asyncio.wrap_future(self._noted)
            await self._settle(target, response)
            return ""
        return await asyncio.wrap_future(self._store.put(self._key_id, lambda: self._kept(response, cuts)))

    async def begun(self, target: Target, response: bytes) -> None:
        """Note who keeps the response that a stream has begun with: its caller may leave and come back for it."""
        self._note(target, response)
        if self._noted is not None and self._background:
            await asyncio.wrap_future(self._noted)

    def _note(self, target: Target, response: bytes) -> None:
        if self._noted is None and _keeps(target) and (place := _place(target, response, self._background)):
            self._place = place
            self._noted = self._store.put(self._key_id, lambda: place)

    async def _settle(self, target: Target, response: bytes) -> None:
        """Note that a stream in the background came to its end, and so to its usage."""
        now, before = _place(target, response, self._background), self._place
        if now is not None and before is not None and now.data != before.data:
            put = self._store.put(self._key_id, lambda: structs.replace(now, again=True))
            await asyncio.wrap_future(put)

    async def stand(self, response: bytes, cuts: Iterable[int] = (), end: int = 0, *, again: bool) -> str:
        """Keep a response in the background as it stands; ``again`` says that it was kept before."""
        put = self._store.put(self._key_id, lambda: self._kept(response, cuts, end, again=again))
        return await asyncio.wrap_future(put)

    def _kept(self, response: bytes, cuts: Iterable[int] = (), end: int = 0, *, again: bool = False) -> Kept:
        turn = self._thread.make_turn(self._document, response, cuts, end)
        output = turn.response.get("output")
        if not isinstance(output, list) or not all(isinstance(item, dict) for item in output):
            raise BadAnswer("The response has no list of items as its output.")
        items = tuple(item["id"] for item in turn.list_items() if isinstance(item.get("id"), str))
        return Kept(turn.id, turn.previous, turn.encode(), again, items)


class _Past(msgspec.Struct):
    """What is known of a response that a request goes on from: its turns, or who keeps it, or whose it is."""

    turns: list[Turn] = []
    missing: str = ""
    place: ProviderStored | None = None
    foreign: bool = False


async def joined(
    run: "Runtime", call: Call, envelope: Envelope, model: Model
) -> tuple[Envelope, Model, Conversation | None]:
    """Return the request with the turns it goes on from, who can answer it, and where its own turn is kept, if it is.

    An id that nobody here knows may be known to targets that keep their own, so it goes on to those; where one of them
    is known to keep it, only there. Raises :class:`~antiphon.errors.BadRequest` for one that nobody can know, and for
    what none of the targets can do.
    """
    document, store = envelope.document, run.conversations
    background = document.get("background") is True
    keeping = narrowed(model, _keeps)
    if keeping is None:
        _refuse(document, background, store)
    elif background or any(document.get(name) for name in PROVIDER_STATE_FIELDS):
        model = keeping  # who has them
    thread, model, joins = await _before(store, call.caller.key_id, document, model, keeping)
    if joins:
        envelope = structs.replace(envelope, document=thread.join(document))
        if any(call.operation in target.urls for target in model.targets):  # they get the caller's bytes
            call.body = encode_json(envelope.document)
    if store is None or call.operation not in KEPT or not may_store(document):
        return envelope, model, None
    here = background and keeping is None
    return envelope, model, Conversation(store, call.caller.key_id, thread, document, here=here)


def _refuse(document: dict[str, Any], background: bool, store: "Conversations | None") -> None:
    """Raise for what a request asks of a provider's store, where no target has one."""
    for name, why in PROVIDER_STATE_FIELDS.items():
        if document.get(name):
            raise BadRequest(f"`{name}` cannot be used with this model: {why}.", param=name)
    if background and not may_store(document):
        raise BadRequest("`background` needs `store`: the answer has to be kept until it is asked for.", param="store")
    if background and store is None:
        raise BadRequest(
            "`background` cannot be used here: this gateway keeps no responses, as it runs without a data directory.",
            param="background",
        )


async def _before(
    store: "Conversations | None", key_id: str, document: dict[str, Any], model: Model, keeping: Model | None
) -> tuple[History, Model, bool]:
    """Return the turns and items that a request goes on from, who can answer it, and whether it must be joined."""
    past = _Past()
    if previous := document.get("previous_response_id"):
        past = await _past(store, key_id, previous)
        if not past.turns:
            return History(), _knowing(past, previous, keeping), False
    thread = History(past.turns)
    missing = thread.list_missing(document)
    if not missing:
        return thread, model, bool(past.turns)
    thread = History(past.turns, await _read(lambda: _holding(store, key_id, missing)))
    if keeping is not None and not past.turns and thread.list_missing(document):
        return thread, keeping, False  # the items may be theirs
    return thread, model, True


def _knowing(past: _Past, previous: str, keeping: Model | None) -> Model:
    """Return the targets that may know a response which is not kept here."""
    if past.place is not None and keeping is not None:
        provider = past.place.target.partition("/")[0]
        keeping = narrowed(keeping, lambda target: target.provider == provider)
    if keeping is None or past.foreign:
        raise make_previous_not_found(past.missing or previous)
    return keeping


async def _past(store: "Conversations | None", key_id: str, response_id: str) -> _Past:
    if store is None:
        return _Past(missing=response_id)

    def read() -> _Past:
        found, missing = store.turns(key_id, response_id)
        if not found:
            return _Past(missing=response_id, foreign=store.holder(response_id) is not None)
        if (place := ProviderStored.try_decode(found[-1])) is not None:
            return _Past(place=place)
        return _Past([Turn.decode(data) for data in found], missing)

    past = await _read(read)
    if past.turns and past.missing:
        raise make_previous_not_found(past.missing)
    status = past.turns[-1].response.get("status") if past.turns else None
    if status not in _FOLLOWED:
        raise make_previous_not_completed(response_id, str(status))
    return past


def _holding(store: "Conversations | None", key_id: str, items: list[str]) -> list[Turn]:
    if store is None:
        return []
    return [Turn.decode(data) for data in store.holding(key_id, items)]


async def _read(what: Callable[[], Read]) -> Read:
    """Read from the store beside the event loop."""
    try:
        return await asyncio.to_thread(what)
    except LedgerError as problem:
        raise Unavailable(
            "Kept responses cannot be read at the moment.", code="responses_unavailable", retry_after=1.0
        ) from problem


def _keeps(target: Target) -> bool:
    return can_store_responses(target.urls, target.quirks)


class _Named(msgspec.Struct):
    id: str
    status: str | None = None


_named = msgspec.json.Decoder(_Named).decode


def _place(target: Target, response: bytes, background: bool) -> Kept | None:
    try:
        named = _named(response)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    # What goes on without its caller says what it used once it is asked for.
    settled = not background or not is_unfinished({"status": named.status})
    return Kept(named.id, "", ProviderStored(target.name, settled).encode())
