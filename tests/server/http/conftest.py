"""A real listener with a small application behind it, and raw sockets in front."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
import uvloop

from antiphon.errors import CallError
from antiphon.server.errors import make_error_answer
from antiphon.server.http.connection import HttpServer
from antiphon.server.http.exchange import Exchange
from antiphon.server.http.limits import Limits
from antiphon.server.http.listener import Listener, listen
from antiphon.wires import get_wire
from processes import PATIENCE

Handler = Callable[["ReceivedRequest"], Awaitable[None]]


class ReceivedRequest:
    """A request that the application received."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.target = exchange.head.path.decode()
        self.body = b""
        self.cancelled = False
        self.done = asyncio.Event()

    async def read(self) -> bytes:
        self.body = await self.exchange.read()
        return self.body

    async def answer(self, body: bytes, status: int = 200, headers: Any = ()) -> None:
        await self.exchange.answer(status, list(headers), body)

    async def send_part(self, body: bytes) -> None:
        while not self.exchange.write(body):
            await self.exchange.drain()


class Application:
    """Echoes method, path and body, unless a test has set a handler for the path."""

    def __init__(self) -> None:
        self.requests: list[ReceivedRequest] = []
        self.handlers: dict[str, Handler] = {}

    async def __call__(self, exchange: Exchange) -> None:
        request = ReceivedRequest(exchange)
        self.requests.append(request)
        try:
            handler = self.handlers.get(request.target)
            if handler is not None:
                await handler(request)
            else:
                body = await request.read()
                await request.answer(b"%b %b %b" % (exchange.method.encode(), exchange.head.path, body))
        except CallError as error:
            status, headers, body = make_error_answer(error, get_wire("chat"))
            await request.answer(body, status, headers)
        except asyncio.CancelledError:
            request.cancelled = True
            raise
        finally:
            request.done.set()


class Server:
    def __init__(self, app: Any, limits: Limits) -> None:
        self.app = app
        self.server = HttpServer(app, limits)
        self.listener = Listener(self.server, listen("127.0.0.1", 0))
        self._clients: list[Client] = []

    @property
    def port(self) -> int:
        return self.listener.port

    async def connect(self, **options: Any) -> "Client":
        client = Client(*await asyncio.open_connection("127.0.0.1", self.port, **options))
        self._clients.append(client)
        return client

    async def hang_up(self) -> None:
        for client in self._clients:
            await client.close()


class Answer:
    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status, self.headers, self.body = status, headers, body

    def __repr__(self) -> str:
        return f"<{self.status} {self.headers} {self.body[:80]!r}>"


class Client:
    """A raw connection with just enough parsing to separate answers. Every wait has a deadline."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def send(self, data: bytes, step: int | None = None) -> None:
        try:
            if step is None:
                self.writer.write(data)
                await self.writer.drain()
                return
            for index in range(0, len(data), step):
                self.writer.write(data[index : index + step])
                await self.writer.drain()
                await asyncio.sleep(0)
        except ConnectionError:
            return

    async def read_answer(self, head_only: bool = False, timeout: float = PATIENCE) -> Answer | None:
        """Return the next final answer, or ``None`` if the connection was closed instead."""
        async with asyncio.timeout(timeout):
            while True:
                found = await self._read_any_answer(head_only)
                if found is None or found.status >= 200:
                    return found

    async def read_interim_answer(self, timeout: float = PATIENCE) -> Answer | None:
        async with asyncio.timeout(timeout):
            return await self._read_any_answer(True)

    async def _read_any_answer(self, head_only: bool) -> Answer | None:
        try:
            head = await self.reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        line, *fields = head.decode("latin-1").split("\r\n")[:-2]
        headers = {name.lower(): value.strip() for name, _, value in (field.partition(":") for field in fields)}
        status = int(line.split(" ")[1])
        if head_only or status < 200 or status in (204, 304):
            return Answer(status, headers, b"")
        return Answer(status, headers, await self._read_content(headers))

    async def _read_content(self, headers: dict[str, str]) -> bytes:
        if "content-length" in headers:
            return await self.reader.readexactly(int(headers["content-length"]))
        if headers.get("transfer-encoding") != "chunked":
            return await self.reader.read()
        body = b""
        while size := int((await self.reader.readuntil(b"\r\n")).strip(), 16):
            body += await self.reader.readexactly(size)
            assert await self.reader.readexactly(2) == b"\r\n"
        assert await self.reader.readexactly(2) == b"\r\n"
        return body

    async def is_closed(self, within: float = PATIENCE) -> bool:
        """Return whether the server closes within the time, without sending any more bytes."""
        try:
            async with asyncio.timeout(within):
                return await self.reader.read(1) == b""
        except TimeoutError:
            return False
        except ConnectionError:
            return True

    async def close(self) -> None:
        self.writer.close()
        with suppress(ConnectionError):
            await self.writer.wait_closed()


Serve = Callable[..., Any]


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run tests on the event loop that the server uses."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture
def serve() -> Serve:
    """``async with serve(limits) as server``; no task or connection may be left afterwards."""

    @asynccontextmanager
    async def start(limits: Limits | None = None, app: Any = None) -> AsyncIterator[Server]:
        server = Server(app or Application(), limits or Limits())
        await server.listener.start()
        try:
            yield server
        finally:
            await server.hang_up()
            await server.listener.stop(0.0)
            assert not server.server.connections
            assert not server.server.left_behind

    return start
