"""Handlers for the rows of the operations table: what of a request goes on, and how."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator
from typing import TYPE_CHECKING
from urllib.parse import unquote_plus

from antiphon.catalog.operations import OPERATIONS, Operation
from antiphon.engine.relay import Relayed
from antiphon.engine.upload import Upload
from antiphon.errors import BadRequest, CallError, NotFound, UnsupportedMedia
from antiphon.server.wire_detection import detect_client
from antiphon.wires.operations.form import FormReader, read_boundary

if TYPE_CHECKING:
    from antiphon.server.routes import Request

_Handler = Callable[["Request"], Awaitable[None]]

_BELOW = re.compile(r"(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9_.:~-]{1,256}){1,4}")
_JSON = re.compile(rb"application/(?:[a-z0-9.+-]*\+)?json[ \t]*(?:;.*)?", re.IGNORECASE)
_PROVIDER = "provider"


def handlers() -> Iterator[tuple[str, bytes, _Handler]]:
    """Yield method, path and handler of each route."""
    for row in OPERATIONS.values():
        path = row.path.encode()
        if row.model:
            yield "POST", path, _MODELED[row.body](row)
        else:
            handler = _of_account(row)
            yield from (("POST", path, handler), ("GET", path, handler))
            yield from ((method, path + b"/{}", handler) for method in ("GET", "POST", "DELETE"))


def _json(row: Operation) -> _Handler:
    async def handler(request: "Request") -> None:
        kind = _header(request, b"content-type")
        if kind and not _JSON.fullmatch(kind.strip()):
            raise UnsupportedMedia(f"The body is {kind[:60].decode('latin-1')!r}; this operation takes JSON.")
        body = await request.body()
        await _relay(request, Relayed(row, request.caller, body=body, content_type=b"application/json"))

    return handler


def _form(row: Operation) -> _Handler:
    async def handler(request: "Request") -> None:
        kind = _header(request, b"content-type")
        form = FormReader(read_boundary(kind))
        upload = _upload(request, form, _stated(request, b"x-antiphon-model"))
        await _relay(request, Relayed(row, request.caller, upload=upload, content_type=kind))

    return handler


_MODELED = {"json": _json, "form": _form}


def _of_account(row: Operation) -> _Handler:
    async def handler(request: "Request") -> None:
        method = request.scope["method"]
        below = _below(request.argument)
        query, provider = _query(request)
        kind = _header(request, b"content-type")
        client = detect_client(request.scope["headers"])
        body, upload = b"", None
        if method == "POST" and kind.lower().startswith(b"multipart/"):
            upload = _upload(request)
        elif method == "POST":
            body = await request.body()
        call = Relayed(
            row,
            request.caller,
            method="GET" if method == "HEAD" else method,
            body=body,
            upload=upload,
            content_type=kind,
            below=below,
            query=query,
            provider=provider,
            client=client,
            headers=request.forwarded(client),
        )
        await _relay(request, call)

    return handler


async def _relay(request: "Request", call: Relayed) -> None:
    answer = await request.gateway.runtime.relay(call)
    try:
        await request.give(answer)
    except CallError as error:
        if not request.started:
            raise
        # Recorded already. What was sent has no way to say that it is not all, but the connection has: it breaks.
        raise asyncio.CancelledError from error


def _upload(request: "Request", form: FormReader | None = None, named: str = "") -> Upload:
    request.check_coding()
    length = _header(request, b"content-length")
    return Upload(request.pieces(), int(length) if length else None, form, named)


def _below(argument: bytes) -> str:
    """Return what follows the operation's path; it becomes a part of a provider's path, so it is ids and verbs only."""
    below = "/" + argument.decode("latin-1") if argument else ""
    if below and not _BELOW.fullmatch(below):
        raise NotFound("There is nothing here; expected ids and names of letters, digits and `_.:~-`.")
    return below


def _query(request: "Request") -> tuple[str, str]:
    """Return the query without ``provider``, and the provider that the caller names, if any."""
    parts = [part for part in request.scope["query_string"].decode("latin-1").split("&") if part]
    kept = [part for part in parts if part.partition("=")[0] != _PROVIDER]
    named = {unquote_plus(part.partition("=")[2]) for part in parts if part not in kept}
    if header := _stated(request, b"x-antiphon-provider"):
        named.add(header)
    if len(named) > 1:
        raise BadRequest("The request names two providers; name one.", param=_PROVIDER)
    return "&".join(kept), next(iter(named), "")


def _stated(request: "Request", name: bytes) -> str:
    """Return what a header field of ours says; raises :class:`BadRequest` where it is there twice."""
    values = [value.strip().decode("latin-1") for field, value in request.scope["headers"] if field == name]
    if len(values) > 1:
        raise BadRequest(f"The request has {len(values)} header fields {name.decode()}; send one.")
    return values[0] if values else ""


def _header(request: "Request", name: bytes) -> bytes:
    return next((value for field, value in request.scope["headers"] if field == name), b"")
