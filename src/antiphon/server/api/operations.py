"""The handlers of the operations table: which parts of a request are passed on, and how."""

import asyncio
import re
from collections.abc import Iterator
from urllib.parse import unquote_plus

from antiphon.catalog.operations import OPERATIONS, Operation
from antiphon.engine.operation_call import OperationRequest
from antiphon.engine.upload import Upload
from antiphon.errors import BadRequest, CallError, NotFound, UnsupportedMedia
from antiphon.server.request import Handler, Request
from antiphon.server.wire_detection import detect_client
from antiphon.wires.operations.form import FormReader, read_boundary

_BELOW = re.compile(r"(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9_.:~-]{1,256}){1,4}")
_JSON = re.compile(rb"application/(?:[a-z0-9.+-]*\+)?json[ \t]*(?:;.*)?", re.IGNORECASE)
_PROVIDER = "provider"


def list_handlers() -> Iterator[tuple[str, bytes, Handler]]:
    """Yield method, path and handler of each route."""
    for row in OPERATIONS.values():
        path = row.path.encode()
        if row.model:
            yield "POST", path, _MODELED[row.body](row)
        else:
            handler = _make_account_handler(row)
            yield from (("POST", path, handler), ("GET", path, handler))
            yield from ((method, path + b"/{}", handler) for method in ("GET", "POST", "DELETE"))


def _make_json_handler(row: Operation) -> Handler:
    async def handle(request: Request) -> None:
        kind = _find_header(request, b"content-type")
        if kind and not _JSON.fullmatch(kind.strip()):
            raise UnsupportedMedia(f"The body is {kind[:60].decode('latin-1')!r}; this operation takes JSON.")
        body = await request.read_body()
        await _ask(request, OperationRequest(row, body=body, content_type=b"application/json"))

    return handle


def _make_form_handler(row: Operation) -> Handler:
    async def handle(request: Request) -> None:
        kind = _find_header(request, b"content-type")
        form = FormReader(read_boundary(kind))
        upload = _make_upload(request, form, _read_own_header(request, b"x-antiphon-model"))
        await _ask(request, OperationRequest(row, upload=upload, content_type=kind))

    return handle


_MODELED = {"json": _make_json_handler, "form": _make_form_handler}


def _make_account_handler(row: Operation) -> Handler:
    async def handle(request: Request) -> None:
        method = request.exchange.method
        below = _read_below(request.argument)
        query, provider = _read_query(request)
        kind = _find_header(request, b"content-type")
        client = detect_client(request.exchange.fields)
        body, upload = b"", None
        if method == "POST" and kind.lower().startswith(b"multipart/"):
            upload = _make_upload(request)
        elif method == "POST":
            body = await request.read_body()
        operation = OperationRequest(
            row,
            method="GET" if method == "HEAD" else method,
            body=body,
            upload=upload,
            content_type=kind,
            below=below,
            query=query,
            provider=provider,
            client=client,
            headers=request.list_forwarded(client),
        )
        await _ask(request, operation)

    return handle


async def _ask(request: Request, operation: OperationRequest) -> None:
    answer = await request.gateway.runtime.ask_operation(operation, request.caller)
    try:
        await request.send_answer(answer)
    except CallError as error:
        if not request.exchange.started:
            raise
        # The error is recorded. The bytes that were sent cannot say that the answer is incomplete, so the connection
        # must break.
        raise asyncio.CancelledError from error


def _make_upload(request: Request, form: FormReader | None = None, named: str = "") -> Upload:
    request.check_coding()
    length = _find_header(request, b"content-length")
    return Upload(request.read_pieces(), int(length) if length else None, form, named)


def _read_below(argument: bytes) -> str:
    """Return the path after the operation's path; it goes into a provider's path, so only ids and verbs are allowed."""
    below = "/" + argument.decode("latin-1") if argument else ""
    if below and not _BELOW.fullmatch(below):
        raise NotFound("There is nothing here; expected ids and names of letters, digits and `_.:~-`.")
    return below


def _read_query(request: Request) -> tuple[str, str]:
    """Return the query without ``provider``, and the provider that the caller names, if any."""
    parts = [part for part in request.exchange.head.query.decode("latin-1").split("&") if part]
    kept = [part for part in parts if part.partition("=")[0] != _PROVIDER]
    named = {unquote_plus(part.partition("=")[2]) for part in parts if part not in kept}
    if header := _read_own_header(request, b"x-antiphon-provider"):
        named.add(header)
    if len(named) > 1:
        raise BadRequest("The request names two providers; name one.", param=_PROVIDER)
    return "&".join(kept), next(iter(named), "")


def _read_own_header(request: Request, name: bytes) -> str:
    """Return the value of one of Antiphon's header fields; raises :class:`BadRequest` if it occurs twice."""
    values = [value.strip().decode("latin-1") for field, value in request.exchange.fields if field == name]
    if len(values) > 1:
        raise BadRequest(f"The request has {len(values)} header fields {name.decode()}; send one.")
    return values[0] if values else ""


def _find_header(request: Request, name: bytes) -> bytes:
    return next((value for field, value in request.exchange.fields if field == name), b"")
