"""The handlers of stored responses: show, replay as a stream, list input items, cancel, delete.

Only the key that created a response can use it. The response is being made by this or another process, is stored here,
or is stored by its provider.
"""

from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

from antiphon.engine.call import Answer
from antiphon.errors import BadRequest, MethodNotAllowed, NotFound
from antiphon.server.api.models import parse_query, read_number, read_single
from antiphon.server.errors import Headers
from antiphon.server.request import Request

if TYPE_CHECKING:
    from antiphon.responses.service import StoredResponse

_JSON: Headers = [(b"content-type", b"application/json")]
_EVENTS: Headers = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-cache")]
_PARTS = (b"", b"input_items", b"cancel")
_PAGE_DEFAULT = 20


async def show(request: Request) -> None:
    """GET /v1/responses/{id}, optionally with ``stream`` and ``starting_after``, or /v1/responses/{id}/input_items."""
    name, part = _split_path(request)
    if part == "cancel":
        raise MethodNotAllowed("GET is not allowed here; use POST.", allowed=("POST",))
    found = await _find(request, name, part)
    if isinstance(found, Answer):
        await request.send_answer(found)
        return
    if part:
        await _list_items(request, name)
        return
    query = parse_query(request)
    if read_single(query, "stream") != "true":
        await request.answer(200, _JSON, found.encode())
        return
    after = read_number(query, "starting_after", -1, least=0)
    runtime = request.gateway.runtime
    if found.job is None and not found.is_owned:
        await request.answer(200, _EVENTS, found.replay(after))
        return
    events = runtime.responses.follow(runtime.services, request.caller, name, found, after)
    await request.stream(200, _EVENTS, events)


async def act(request: Request) -> None:
    """POST /v1/responses/{id}/cancel: cancels a background response; repeating it is harmless."""
    name, part = _split_path(request)
    if part != "cancel":
        raise NotFound("There is nothing here; expected /v1/responses/{id}/cancel.")
    found = await _find(request, name, part)
    if isinstance(found, Answer):
        await request.send_answer(found)
        return
    if not found.response.get("background"):
        raise BadRequest(
            "Cannot cancel a synchronous response. To end one, close its connection.",
            code="response_not_in_background",
        )
    runtime = request.gateway.runtime
    ended = await runtime.responses.cancel(request.caller, name, found)
    await request.answer(200, _JSON, ended.encode())


async def delete(request: Request) -> None:
    """DELETE /v1/responses/{id}; a response that is being made is cancelled first."""
    from antiphon.wires.responses.history import make_response_not_found, write_deletion

    name, part = _split_path(request)
    if part:
        raise NotFound("Only a whole response can be deleted: DELETE /v1/responses/{id}.")
    found = await _find(request, name, "")
    stored = None if isinstance(found, Answer) else found
    was_there = await request.gateway.runtime.responses.delete(request.caller, name, stored)
    if isinstance(found, Answer):
        await request.send_answer(found)
        return
    if not was_there:
        raise make_response_not_found(name)
    await request.answer(200, _JSON, write_deletion(name))


async def _find(request: Request, name: str, part: str) -> "StoredResponse | Answer":
    runtime, exchange = request.gateway.runtime, request.exchange
    method = "GET" if exchange.method == "HEAD" else exchange.method
    query = exchange.head.query.decode("latin-1")
    below = f"/{part}" if part else ""
    return await runtime.responses.find(runtime.services, request.caller, name, method, below, query)


async def _list_items(request: Request, name: str) -> None:
    query = parse_query(request)
    after, order = read_single(query, "after") or "", read_single(query, "order") or "desc"
    limit = read_number(query, "limit", _PAGE_DEFAULT)
    responses = request.gateway.runtime.responses
    page = await responses.list_items(request.caller, name, after=after, limit=limit, order=order)
    await request.answer(200, _JSON, page)


def _split_path(request: Request) -> tuple[str, str]:
    """Return the id and the requested part of the response; raises :class:`~antiphon.errors.NotFound`."""
    name, _, part = request.argument.partition(b"/")
    if not name or part not in _PARTS or request.argument.endswith(b"/"):
        raise NotFound(
            "There is nothing here; expected /v1/responses/{id}, /v1/responses/{id}/input_items or "
            "/v1/responses/{id}/cancel."
        )
    return unquote_to_bytes(name).decode("utf-8", "replace"), part.decode()
