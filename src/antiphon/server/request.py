"""The request that a handler works with, and the answer that it sends."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Protocol, TypeAlias

from antiphon.engine.call import Answer, AnswerStream
from antiphon.errors import UnsupportedMedia
from antiphon.runtime import Runtime
from antiphon.server.errors import Headers
from antiphon.server.http.exchange import Exchange
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

    __slots__ = ("argument", "caller", "exchange", "gateway")

    def __init__(self, gateway: GatewayState, exchange: Exchange, caller: Caller, argument: bytes) -> None:
        self.gateway = gateway
        self.exchange = exchange
        self.caller = caller
        self.argument = argument
        """The part of the path that the route leaves open."""

    def read_body(self) -> Awaitable[bytes]:
        """Return the whole body; raises what ``Exchange.read`` raises, and ``UnsupportedMedia`` for an encoding."""
        self.check_coding()
        return self.exchange.read()

    def check_coding(self) -> None:
        """Raise ``UnsupportedMedia`` if the body has a content encoding."""
        coding = self.exchange.head.coding
        if coding and coding.strip().lower() not in (b"", b"identity"):
            raise UnsupportedMedia("Request bodies with a content-encoding are not read; send identity.")

    def read_pieces(self) -> AsyncIterator[bytes]:
        """Return the body in pieces; reading one raises what ``Exchange.read`` raises. Nothing is read ahead.

        The time limit for a body then applies to each piece, so a long body over a slow line is not late.
        """
        self.exchange.streamed = True
        return _Pieces(self.exchange)

    def list_forwarded(self, operation: str) -> tuple[tuple[bytes, bytes], ...]:
        """Return the caller's header fields that are forwarded to a provider of the same wire."""
        names = get_wire(operation).forwarded_headers
        return tuple(pair for pair in self.exchange.fields if pair[0] in names) if names else ()

    def ask(
        self, operation: str, body: bytes, *, model: str = "", stream: bool | None = None, forward_headers: bool = True
    ) -> Awaitable[Answer]:
        """Make a call and return its answer; ``model`` and ``stream`` are given if the path states them."""
        headers = self.list_forwarded(operation) if forward_headers else ()
        runtime = self.gateway.runtime
        return runtime.ask(operation, body, self.caller, headers, model=model, stream=stream)

    def send_answer(self, answer: Answer) -> Awaitable[None]:
        """Send the answer of a call."""
        if answer.stream is not None:
            return self.stream(answer.status, answer.headers + _STREAMED, answer.stream)
        return self.exchange.answer(answer.status, answer.headers, answer.body or b"")

    def answer(self, status: int, headers: Headers, body: bytes) -> Awaitable[None]:
        """Send a whole answer."""
        return self.exchange.answer(status, headers, body)

    async def stream(self, status: int, headers: Headers, stream: AnswerStream) -> None:
        """Send frames as they arrive, no faster than the client reads them; the stream is closed in any case."""
        exchange = self.exchange
        try:
            exchange.start(status, headers)
            while frames := await stream.next(exchange.write):
                while not exchange.write(frames):
                    await exchange.drain()
            exchange.finish()
        finally:
            stream.close()


class _Pieces:
    """The pieces of a body as they arrive. A generator would have to be closed when it is left early."""

    __slots__ = ("_exchange",)

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def __aiter__(self) -> "_Pieces":
        return self

    async def __anext__(self) -> bytes:
        if piece := await self._exchange.read_part():
            return piece
        raise StopAsyncIteration


Handler: TypeAlias = Callable[[Request], Awaitable[None]]
