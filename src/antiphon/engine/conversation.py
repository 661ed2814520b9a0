"""Conversations that we keep because the target keeps none: joined before a call, kept after its answer.

The engine's side of ``wires/responses/thread``, which says what to join and what to keep, and of ``conversations``,
which keeps it.
"""

import asyncio
from typing import TYPE_CHECKING, Any

from msgspec import structs

from antiphon.conversations import Kept
from antiphon.engine.call import Call
from antiphon.errors import BadAnswer, LedgerError, Unavailable
from antiphon.routing import narrowed
from antiphon.types import Model, Target
from antiphon.wires import Envelope
from antiphon.wires.responses.fields import encoded
from antiphon.wires.responses.thread import Thread, Turn, keeps, stores, unknown_previous

if TYPE_CHECKING:
    from antiphon.conversations import Conversations
    from antiphon.engine.runtime import Runtime


class Conversation:
    """What one call goes on from, and where its own turn is kept."""

    __slots__ = ("_document", "_key_id", "_store", "_thread")

    def __init__(self, store: "Conversations", key_id: str, thread: Thread, document: dict[str, Any]) -> None:
        self._store = store
        self._key_id = key_id
        self._thread = thread
        self._document = document

    async def keep(self, target: Target, response: bytes) -> str:
        """Keep the turn that ends with a target's response object, unless the target does so itself.

        Returns why it could not be kept, or nothing.
        """
        if not response or keeps(target.urls, target.quirks):
            return ""
        return await asyncio.wrap_future(self._store.put(self._key_id, lambda: self._kept(response)))

    def _kept(self, response: bytes) -> Kept:
        turn = self._thread.turn(self._document, response)
        output = turn.response.get("output")
        if not isinstance(output, list) or not all(isinstance(item, dict) for item in output):
            raise BadAnswer("The response has no list of items as its output.")
        return Kept(turn.id, turn.previous, turn.encode())


async def joined(
    run: "Runtime", call: Call, envelope: Envelope, model: Model
) -> tuple[Envelope, Model, Conversation | None]:
    """Return the request with the turns it goes on from, who can answer it, and where its own turn is kept, if it is.

    Where every target keeps its own, nothing is looked at. An id that is not ours may be theirs, so it goes on to
    those. Raises :class:`~antiphon.errors.BadRequest` for one that nobody can know.
    """
    keeping = narrowed(model, lambda target: keeps(target.urls, target.quirks))
    if keeping is not None and len(keeping.targets) == len(model.targets):
        return envelope, model, None
    document, store, thread = envelope.document, run.conversations, Thread()
    if previous := document.get("previous_response_id"):
        turns, missing = await _turns(store, call.caller.key_id, previous)
        if missing and (turns or keeping is None):
            raise unknown_previous(missing)
        if missing:
            return envelope, keeping or model, None
        thread = Thread(turns)
        envelope = structs.replace(envelope, document=thread.join(document))
        if any(call.operation in target.urls for target in model.targets):  # they get the caller's bytes
            call.body = encoded(envelope.document)
    if store is None or not stores(document):
        return envelope, model, None
    return envelope, model, Conversation(store, call.caller.key_id, thread, document)


async def _turns(store: "Conversations | None", key_id: str, response_id: str) -> tuple[list[Turn], str]:
    if store is None:
        return [], response_id

    def read() -> tuple[list[Turn], str]:
        found, missing = store.turns(key_id, response_id)
        return [Turn.decode(data) for data in found], missing

    try:
        return await asyncio.to_thread(read)
    except LedgerError as problem:
        raise Unavailable(
            "Kept responses cannot be read at the moment.", code="responses_unavailable", retry_after=1.0
        ) from problem
