"""Responses that were asked for here, as their callers ask for them again: shown, told again, listed by what they
answered, cancelled, deleted.

A response is its key's and nobody else's. It is being made here, is kept here, or is kept by the provider that gave it.
"""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import unquote_to_bytes

from antiphon.engine.call import Answer
from antiphon.errors import BadRequest, LedgerError, MethodNotAllowed, NotFound, Unavailable
from antiphon.server.api.models import number, one, query_of
from antiphon.server.errors import Headers

if TYPE_CHECKING:
    from antiphon.engine.background import Work
    from antiphon.responses.store import Conversations
    from antiphon.server.routes import Request
    from antiphon.wires.responses.history import Turn

Found = TypeVar("Found")

_JSON: Headers = [(b"content-type", b"application/json")]
_EVENTS: Headers = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-cache")]
_PARTS = (b"", b"input_items", b"cancel")


async def show(request: "Request") -> None:
    """GET /v1/responses/{id}, perhaps with ``stream`` and ``starting_after``, and /v1/responses/{id}/input_items."""
    name, what = _split(request)
    if what == "cancel":
        raise MethodNotAllowed("GET is not possible here; POST is.", allowed=("POST",))
    held = await _held(request, name, what)
    if isinstance(held, Answer):
        await request.give(held)
        return
    if what:
        await _items(request, name)
        return
    query = query_of(request)
    if one(query, "stream") != "true":
        await request.answer(200, _JSON, held.encode())
        return
    after = number(query, "starting_after", -1, least=0)
    if held.work is not None:
        await request.stream(200, _EVENTS, held.work.follow(after))
        return
    from antiphon.wires.responses.replay import replay_events

    frames = replay_events(held.response, held.cuts, after=after, end=held.end)
    await request.answer(200, _EVENTS, b"".join(frames))


async def act(request: "Request") -> None:
    """POST /v1/responses/{id}/cancel: only what is made in the background can be cancelled, as often as one likes."""
    name, what = _split(request)
    if what != "cancel":
        raise NotFound("There is nothing here; expected /v1/responses/{id}/cancel.")
    held = await _held(request, name, what)
    if isinstance(held, Answer):
        await request.give(held)
        return
    if not held.response.get("background"):
        raise BadRequest(
            "Cannot cancel a synchronous response. To end one, close the connection it is answered on.",
            code="response_not_in_background",
        )
    if held.work is not None:
        await held.work.cancel()
    await request.answer(200, _JSON, held.encode())


async def delete(request: "Request") -> None:
    """DELETE /v1/responses/{id}; one that is being made is cancelled."""
    from antiphon.wires.responses.history import write_deletion

    name, what = _split(request)
    if what:
        raise NotFound("Only a whole response can be deleted: DELETE /v1/responses/{id}.")
    held = await _held(request, name, "")
    if isinstance(held, _Held) and held.work is not None:
        await held.work.cancel()
    there = await _look(request, name, lambda store: store.delete(request.caller.key_id, name))
    if isinstance(held, Answer):
        await request.give(held)
        return
    if not there:
        raise _unknown(name)
    await request.answer(200, _JSON, write_deletion(name))


class _Held:
    """A response that is here: in the making, or kept."""

    def __init__(self, work: "Work | None", turn: "Turn | None") -> None:
        self.work = work
        self._turn = turn
        self.cuts = turn.cuts if turn is not None else ()
        self.end = turn.end if turn is not None else 0

    @property
    def response(self) -> dict[str, Any]:
        """The object as it stands; what is kept unfinished, and not in the making, was ended by a stop or a crash."""
        from antiphon.wires.responses.background_draft import mark_abandoned
        from antiphon.wires.responses.replay import is_unfinished

        if self.work is not None:
            return self.work.draft.response
        assert self._turn is not None
        response = self._turn.response
        return mark_abandoned(response) if is_unfinished(response) else response

    def encode(self) -> bytes:
        from antiphon.wires.json_text import encode_json

        return encode_json(self.response)


async def _held(request: "Request", name: str, what: str) -> _Held | Answer:
    """Return the caller's response, or what its provider says, where that keeps it.

    Raises :class:`~antiphon.errors.NotFound`. What is in the making is looked for first: it is kept before it leaves.
    """
    from antiphon.wires.responses.history import ProviderStored, Turn

    work = request.gateway.runtime.works.get(name)
    if work is not None and work.key_id == request.caller.key_id:
        return _Held(work, None)
    data = await _look(request, name, lambda store: store.find(request.caller.key_id, name))
    if data is None:
        raise _unknown(name)
    if (place := ProviderStored.try_decode(data)) is None:
        return _Held(None, Turn.decode(data))
    from antiphon.engine import elsewhere

    scope = request.scope
    method = "GET" if scope["method"] == "HEAD" else scope["method"]
    query = scope["query_string"].decode("latin-1")
    look = elsewhere.Look(request.caller, method, name, place, f"/{what}" if what else "", query)
    return await elsewhere.ask(request.gateway.runtime, look)


async def _items(request: "Request", name: str) -> None:
    from antiphon.wires.responses.history import PAGE_DEFAULT, History, Turn

    query = query_of(request)
    after, order = one(query, "after") or "", one(query, "order") or "desc"
    limit = number(query, "limit", PAGE_DEFAULT)

    def read(store: "Conversations") -> bytes | None:
        found, missing = store.turns(request.caller.key_id, name)
        if found and missing:
            raise NotFound(f"The response {missing!r}, which {name!r} goes on from, was deleted or has expired.")
        turns = [Turn.decode(data) for data in found]
        return History(turns).write_page(after=after, limit=limit, order=order) if turns else None

    page = await _look(request, name, read)
    if page is None:
        raise _unknown(name)
    await request.answer(200, _JSON, page)


def _split(request: "Request") -> tuple[str, str]:
    """Return the id and what of it is asked for; raises :class:`~antiphon.errors.NotFound`."""
    name, _, what = request.argument.partition(b"/")
    if not name or what not in _PARTS or request.argument.endswith(b"/"):
        raise NotFound(
            "There is nothing here; expected /v1/responses/{id}, /v1/responses/{id}/input_items or "
            "/v1/responses/{id}/cancel."
        )
    return unquote_to_bytes(name).decode("utf-8", "replace"), what.decode()


async def _look(request: "Request", name: str, ask: "Callable[[Conversations], Found]") -> Found:
    store = request.gateway.runtime.conversations
    if store is None:
        raise _unknown(name)
    try:
        return await asyncio.to_thread(ask, store)
    except LedgerError as problem:
        raise Unavailable(
            "Kept responses cannot be read or changed at the moment.", code="responses_unavailable", retry_after=1.0
        ) from problem


def _unknown(name: str) -> NotFound:
    from antiphon.wires.responses.history import make_response_not_found

    return make_response_not_found(name)
