"""The request that a handler works with, and the answer that it sends."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Protocol, TypeAlias

from antiphon.engine.call import Answer, AnswerStream
from antiphon.errors import UnsupportedMedia
from antiphon.runtime import Runtime
from antiphon.server.errors import Headers
from antiphon.server.http.exchange import STREAMED, Receive, Scope, Send
from antiphon.server.phase import Phase
from antiphon.types import Caller
from antiphon.wires import get_wire

_STREAMED: Headers = [(b"cache-control", b"no-cache"), (b"x-accel-buffering", b"no")]


class GatewayState(Protocol):
    """The part of the application that handlers use."""

    runtime: Runtime
    phase: Phase


class Request:
    """One request: its caller, its path and its body, and the methods that send the one answer."""

    __slots__ = ("_receive", "_send", "argument", "caller", "gateway", "scope", "started")

    def __init__(self, gateway: GatewayState, scope: Scope, receive: Receive, send: Send) -> None:
        self.gateway = gateway
        self.scope = scope
        self.caller: Caller
        self.argument = b""
        """The part of the path that the route leaves open."""
        self.started = False
        self._receive = receive
        self._send = send

    async def read_body(self) -> bytes:
        """Return the whole body; raises what ``receive`` raises, and ``UnsupportedMedia`` for a content encoding."""
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
        """Raise ``UnsupportedMedia`` if the body has a content encoding."""
        for name, value in self.scope["headers"]:
            if name == b"content-encoding" and value.strip().lower() not in (b"", b"identity"):
                raise UnsupportedMedia("Request bodies with a content-encoding are not read; send identity.")

    def read_pieces(self) -> AsyncIterator[bytes]:
        """Return the body in pieces; reading one raises what ``receive`` raises. Nothing is read ahead.

        The time limit for a body then applies to each piece, so a long body over a slow line is not late.
        """
        self.scope[STREAMED] = True
        return _Pieces(self._receive)

    def list_forwarded(self, operation: str) -> tuple[tuple[bytes, bytes], ...]:
        """Return the caller's header fields that are forwarded to a provider of the same wire."""
        names = get_wire(operation).forwarded_headers
        return tuple(pair for pair in self.scope["headers"] if pair[0] in names) if names else ()

    async def ask(
        self, operation: str, body: bytes, *, model: str = "", stream: bool | None = None, forward_headers: bool = True
    ) -> None:
        """Make a call and send its answer; ``model`` and ``stream`` are given if the path states them."""
        headers = self.list_forwarded(operation) if forward_headers else ()
        runtime = self.gateway.runtime
        await self.send_answer(await runtime.ask(operation, body, self.caller, headers, model=model, stream=stream))

    async def send_answer(self, answer: Answer) -> None:
        """Send the answer of a call."""
        if answer.stream is not None:
            await self.stream(answer.status, answer.headers + _STREAMED, answer.stream)
        else:
            await self.answer(answer.status, answer.headers, answer.body or b"")

    async def answer(self, status: int, headers: Headers, body: bytes) -> None:
        """Send a whole answer."""
        await self._send({"type": "http.response.start", "status": status, "headers": headers})
        self.started = True
        await self._send({"type": "http.response.body", "body": body})

    async def stream(self, status: int, headers: Headers, stream: AnswerStream) -> None:
        """Send frames as they arrive, no faster than the client reads them; the stream is closed in any case."""
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
    """The pieces of a body as they arrive."""

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


Handler: TypeAlias = Callable[[Request], Awaitable[None]]
