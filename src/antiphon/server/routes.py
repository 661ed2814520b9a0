"""The table of routes: path, method, what a caller needs for it, and the handler. Nothing is reachable but these."""

from collections.abc import AsyncIterator, Awaitable, Callable
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote_to_bytes

import msgspec

from antiphon import __version__
from antiphon.engine.call import Answer, Call, Streamed
from antiphon.errors import MethodNotAllowed, NotFound, UnsupportedMedia
from antiphon.server.api import cost, models, operations, responses, shortcuts
from antiphon.server.errors import Headers
from antiphon.server.http.exchange import STREAMED, Receive, Scope, Send
from antiphon.types import Caller
from antiphon.wires import get_wire
from antiphon.wires.gemini.address import read_address

if TYPE_CHECKING:
    from antiphon.server.app import Gateway

_JSON: Headers = [(b"content-type", b"application/json")]
_TEXT: Headers = [(b"content-type", b"text/plain; charset=utf-8")]
_PROMETHEUS: Headers = [(b"content-type", b"text/plain; version=1.0.0; charset=utf-8")]
_STREAMED: Headers = [(b"cache-control", b"no-cache"), (b"x-accel-buffering", b"no")]


class Request:
    """What a handler works with: who asks for what, the body, and one answer."""

    __slots__ = ("_receive", "_send", "argument", "caller", "gateway", "scope", "started")

    def __init__(self, gateway: "Gateway", scope: Scope, receive: Receive, send: Send) -> None:
        self.gateway = gateway
        self.scope = scope
        self.caller: Caller
        self.argument = b""
        """The part of the path that the route leaves open."""
        self.started = False
        self._receive = receive
        self._send = send

    async def body(self) -> bytes:
        """Return the whole body; raises what ``receive`` raises, and ``UnsupportedMedia`` for a content-encoding."""
        self.check_coding()
        message = await self._receive()
        if not message["more_body"]:
            return message["body"]  # type: ignore[no-any-return]
        parts = [message["body"]]
        while message["more_body"]:
            message = await self._receive()
            parts.append(message["body"])
        return b"".join(parts)

    def check_coding(self) -> None:
        """Raise ``UnsupportedMedia`` where the body has a content-encoding."""
        for name, value in self.scope["headers"]:
            if name == b"content-encoding" and value.strip().lower() not in (b"", b"identity"):
                raise UnsupportedMedia("Request bodies are read without any content-encoding; send identity.")

    def pieces(self) -> AsyncIterator[bytes]:
        """Return the body in pieces, each of which raises what ``receive`` raises; nothing is read ahead.

        The time for a body then runs from piece to piece: a long one over a slow line is not late.
        """
        self.scope[STREAMED] = True
        return _Pieces(self._receive)

    def forwarded(self, operation: str) -> tuple[tuple[bytes, bytes], ...]:
        """Return the caller's header fields that go on to a provider of the same wire."""
        names = get_wire(operation).forwards
        return tuple(pair for pair in self.scope["headers"] if pair[0] in names) if names else ()

    async def ask(self, call: Call) -> None:
        """Have a call answered and send what comes."""
        await self.give(await self.gateway.runtime.ask(call))

    async def give(self, answer: Answer) -> None:
        """Send what came of a call."""
        if answer.stream is not None:
            await self.stream(answer.status, answer.headers + _STREAMED, answer.stream)
        else:
            await self.answer(answer.status, answer.headers, answer.body or b"")

    async def answer(self, status: int, headers: Headers, body: bytes) -> None:
        """Send a whole answer."""
        await self._send({"type": "http.response.start", "status": status, "headers": headers})
        self.started = True
        await self._send({"type": "http.response.body", "body": body})

    async def stream(self, status: int, headers: Headers, stream: Streamed) -> None:
        """Send frames as they come, no faster than they are taken; the stream is closed in any case."""
        send = self._send
        try:
            await send({"type": "http.response.start", "status": status, "headers": headers})
            self.started = True
            while frame := await stream.next():
                await send({"type": "http.response.body", "body": frame, "more_body": True})
            await send({"type": "http.response.body"})
        finally:
            stream.close()


class _Pieces:
    """A body as it comes."""

    __slots__ = ("_more", "_receive")

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._more = True

    def __aiter__(self) -> "_Pieces":
        return self

    async def __anext__(self) -> bytes:
        if not self._more:
            raise StopAsyncIteration
        message = await self._receive()
        self._more = message["more_body"]
        return message["body"]  # type: ignore[no-any-return]


Handler = Callable[[Request], Awaitable[None]]


class Needs(StrEnum):
    """What a request must show before a route runs for it."""

    NOTHING = "nothing"
    KEY = "key"


class Route(NamedTuple):
    """One row. A path that ends in ``{}`` leaves its rest open to the handler; ``GET`` answers ``HEAD`` too."""

    method: str
    path: bytes
    needs: Needs
    handler: Handler


def _asks(operation: str) -> Handler:
    async def handler(request: Request) -> None:
        body = await request.body()
        await request.ask(Call(operation, body, request.caller, request.forwarded(operation)))

    return handler


async def _gemini_model(request: Request) -> None:
    request.argument = b"models/" + request.argument
    await _gemini(request)


async def _gemini(request: Request) -> None:
    query = request.scope["query_string"].decode("latin-1")
    address = read_address(request.argument.decode("latin-1"), query)
    body = await request.body()
    call = Call(address.operation, body, request.caller, model=address.model, stream=address.stream)
    await request.ask(call)


async def _bedrock(request: Request) -> None:
    name, _, last = request.argument.rpartition(b"/")
    if last not in _BEDROCK or not name or b"/" in name:
        known = ", ".join(sorted(each.decode() for each in _BEDROCK))
        raise NotFound(f"There is nothing here; expected /model/{{modelId}}/ with one of: {known}.")
    operation, stream = _BEDROCK[last]
    model = unquote_to_bytes(name).decode("utf-8", "replace")
    body = await request.body()
    await request.ask(Call(operation, body, request.caller, model=model, stream=stream))


_BEDROCK = {
    b"converse": ("converse", False),
    b"converse-stream": ("converse", True),
    b"count-tokens": ("bedrock_count_tokens", False),
}
"""Last part of an address to operation, and whether the answer is a stream."""


async def _live(request: Request) -> None:
    await request.answer(200, _JSON, msgspec.json.encode({"status": "live", "version": __version__}))


async def _ready(request: Request) -> None:
    gateway = request.gateway
    recording = not gateway.runtime.refuses_records
    ready = gateway.phase == "ready" and recording
    detail = {"status": gateway.phase.value, "records": "kept" if recording else "refused"}
    detail |= gateway.runtime.health()
    await request.answer(200 if ready else 503, _JSON, msgspec.json.encode(detail))


async def _metrics(request: Request) -> None:
    await request.answer(200, _PROMETHEUS, request.gateway.runtime.telemetry.render())


async def _door(request: Request) -> None:
    text = f"Antiphon {__version__}: an OpenAI-compatible gateway. Use this address with /v1 as base_url.\n"
    await request.answer(200, _TEXT, text.encode())


ROUTES = (
    Route("POST", b"/v1/chat/completions", Needs.KEY, _asks("chat")),
    Route("POST", b"/v1/completions", Needs.KEY, _asks("completions")),
    Route("POST", b"/v1/embeddings", Needs.KEY, shortcuts.embeddings),
    Route("POST", b"/v1/responses", Needs.KEY, _asks("responses")),
    Route("POST", b"/v1/responses/input_tokens", Needs.KEY, _asks("input_tokens")),
    Route("GET", b"/v1/responses/{}", Needs.KEY, responses.show),
    Route("POST", b"/v1/responses/{}", Needs.KEY, responses.act),
    Route("DELETE", b"/v1/responses/{}", Needs.KEY, responses.delete),
    Route("POST", b"/v1/messages", Needs.KEY, _asks("messages")),
    Route("POST", b"/v1/messages/count_tokens", Needs.KEY, _asks("count_tokens")),
    Route("POST", b"/v1beta/models/{}", Needs.KEY, _gemini_model),
    Route("POST", b"/v1beta/{}", Needs.KEY, _gemini),
    Route("POST", b"/v1/models/{}", Needs.KEY, _gemini_model),
    Route("POST", b"/model/{}", Needs.KEY, _bedrock),
    Route("POST", b"/v1/vision", Needs.KEY, shortcuts.vision),
    Route("POST", b"/v1/cost/estimate", Needs.KEY, cost.cost),
    *(Route(method, path, Needs.KEY, handler) for method, path, handler in operations.handlers()),
    Route("GET", b"/v1/models", Needs.KEY, models.models),
    Route("GET", b"/v1/models/{}", Needs.KEY, models.model),
    Route("GET", b"/v1beta/models", Needs.KEY, models.gemini_models),
    Route("GET", b"/v1beta/models/{}", Needs.KEY, models.gemini_model),
    Route("GET", b"/v1/providers", Needs.KEY, models.providers),
    Route("GET", b"/metrics", Needs.KEY, _metrics),
    Route("GET", b"/health/live", Needs.NOTHING, _live),
    Route("GET", b"/health/ready", Needs.NOTHING, _ready),
    Route("GET", b"/", Needs.NOTHING, _door),
)

_EXACT = {(route.method, route.path): (route, b"") for route in ROUTES if not route.path.endswith(b"{}")}


def find(method: str, path: bytes) -> tuple[Route, bytes]:
    """Return the route for a raw path and what the path holds in the route's open part.

    Raises :class:`~antiphon.errors.NotFound` and :class:`~antiphon.errors.MethodNotAllowed`.
    """
    found = _EXACT.get((method, path))
    if found is not None:
        return found
    matching = [(route, rest) for route in ROUTES if (rest := _rest(route, path)) is not None]
    closest = max((len(route.path) for route, _ in matching), default=0)
    matching = [(route, rest) for route, rest in matching if len(route.path) == closest]
    for route, rest in matching:
        if method == route.method or (method == "HEAD" and route.method == "GET"):
            return route, rest
    if matching:
        allowed = sorted({method for route, _ in matching for method in _methods(route)})
        raise MethodNotAllowed(f"{method} is not possible here; {', '.join(allowed)} is.", allowed=allowed)
    shown = path[:100].decode("ascii", "replace")
    raise NotFound(f"There is nothing at {shown}. The API is under /v1, for example /v1/chat/completions.")


def leads(path: bytes) -> bool:
    """Say whether there is a route for a raw path, for any method."""
    return any(_rest(route, path) is not None for route in ROUTES)


def _methods(route: Route) -> tuple[str, ...]:
    return ("GET", "HEAD") if route.method == "GET" else (route.method,)


def _rest(route: Route, path: bytes) -> bytes | None:
    if not route.path.endswith(b"{}"):
        return b"" if path == route.path else None
    prefix = route.path[:-2]
    return path[len(prefix) :] if path.startswith(prefix) and len(path) > len(prefix) else None
