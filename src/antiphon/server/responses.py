"""Responses that are kept here, as their callers ask for them: shown, listed by what they answered, deleted.

A response is its key's and nobody else's.
"""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import unquote_to_bytes

from antiphon.errors import BadRequest, LedgerError, NotFound, Unavailable
from antiphon.server.envelope import Headers
from antiphon.server.listing import number, one, query_of

if TYPE_CHECKING:
    from antiphon.conversations import Conversations
    from antiphon.server.routes import Request

Found = TypeVar("Found")

_JSON: Headers = [(b"content-type", b"application/json")]


async def show(request: "Request") -> None:
    """GET /v1/responses/{id} and /v1/responses/{id}/input_items."""
    from antiphon.wires.responses.fields import encoded
    from antiphon.wires.responses.thread import Turn

    name, what = _split(request)
    if what == "input_items":
        await _items(request, name)
        return
    if one(query_of(request), "stream") == "true":
        raise BadRequest("A kept response is sent whole; ask without `stream`.", param="stream")

    def read(store: "Conversations") -> bytes | None:
        data = store.find(request.caller.key_id, name)
        return None if data is None else encoded(Turn.decode(data).response)

    body = await _look(request, name, read)
    if body is None:
        raise _unknown(request, name)
    await request.answer(200, _JSON, body)


async def _items(request: "Request", name: str) -> None:
    from antiphon.wires.responses.thread import PAGE_DEFAULT, Thread, Turn

    query = query_of(request)
    after, order = one(query, "after") or "", one(query, "order") or "desc"
    limit = number(query, "limit", PAGE_DEFAULT)

    def read(store: "Conversations") -> bytes | None:
        found, missing = store.turns(request.caller.key_id, name)
        if found and missing:
            raise NotFound(f"The response {missing!r}, which {name!r} goes on from, was deleted or has expired.")
        turns = [Turn.decode(data) for data in found]
        return Thread(turns).page(after=after, limit=limit, order=order) if turns else None

    page = await _look(request, name, read)
    if page is None:
        raise _unknown(request, name)
    await request.answer(200, _JSON, page)


async def delete(request: "Request") -> None:
    """DELETE /v1/responses/{id}."""
    from antiphon.wires.responses.thread import deleted

    name, what = _split(request)
    if what:
        raise NotFound("Only a whole response can be deleted: DELETE /v1/responses/{id}.")
    if not await _look(request, name, lambda store: store.delete(request.caller.key_id, name)):
        raise _unknown(request, name)
    await request.answer(200, _JSON, deleted(name))


def _split(request: "Request") -> tuple[str, str]:
    """Return the id and what of it is asked for; raises :class:`~antiphon.errors.NotFound`."""
    name, _, what = request.argument.partition(b"/")
    if not name or what not in (b"", b"input_items") or request.argument.endswith(b"/"):
        raise NotFound("There is nothing here; expected /v1/responses/{id} or /v1/responses/{id}/input_items.")
    return unquote_to_bytes(name).decode("utf-8", "replace"), what.decode()


async def _look(request: "Request", name: str, ask: "Callable[[Conversations], Found]") -> Found:
    store = request.gateway.runtime.conversations
    if store is None:
        raise _unknown(request, name)
    try:
        return await asyncio.to_thread(ask, store)
    except LedgerError as problem:
        raise Unavailable(
            "Kept responses cannot be read or changed at the moment.", code="responses_unavailable", retry_after=1.0
        ) from problem


def _unknown(request: "Request", name: str) -> NotFound:
    from antiphon.wires.responses.thread import keeps, unknown

    error = unknown(name)
    kinds = {provider.name: provider.kind for provider in request.gateway.runtime.catalog.providers.values()}
    own = [name for name, kind in kinds.items() if keeps(kind.operations, kind.quirks)]
    if own:
        kept = f"Providers that speak Responses themselves keep theirs, and only they have them: {', '.join(own)}."
        error = NotFound(f"{error.message} {kept}")
    return error
