"""A strict provider over real sockets: it keeps each request byte for byte, and answers as a test decides.

It runs in its own thread, so it reads while the test's loop or a blocking client is busy. A long body is hashed as it
arrives; only its first and last 64 KiB are kept.
"""

import asyncio
import hashlib
import json
import threading
from collections.abc import Callable, Coroutine
from typing import Any

KEPT = 64 * 1024
Handler = Callable[["Exchange"], Coroutine[Any, Any, None]]


class Exchange:
    """One request: its head, the part of its body that was read, and methods to answer it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes) -> None:
        lines = head.decode("latin-1").split("\r\n")
        self.method, self.target, self.version = lines[0].split(" ")
        pairs = [line.split(": ", 1) for line in lines[1:] if line]
        self.headers = dict(pairs)
        assert len(self.headers) == len(pairs), "a header field came twice"
        self.reader, self.writer = reader, writer
        self.size = 0
        self.first = b""
        self.last = b""
        self.digest = hashlib.sha256()
        self.whole = False
        self.broken = False

    @property
    def body(self) -> bytes:
        assert self.whole
        assert self.size <= KEPT
        return self.first

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    async def read(self) -> None:
        """Read the body to the end that its framing states."""
        if self.headers.get("transfer-encoding") == "chunked":
            assert "content-length" not in self.headers
            while size := int(await self.reader.readuntil(b"\r\n"), 16):
                self._take(await self.reader.readexactly(size))
                assert await self.reader.readexactly(2) == b"\r\n"
            assert await self.reader.readexactly(2) == b"\r\n"
        else:
            left = int(self.headers.get("content-length", 0))
            while left:
                piece = await self.reader.read(min(left, KEPT))
                if not piece:
                    raise asyncio.IncompleteReadError(b"", left)
                left -= len(piece)
                self._take(piece)
        self.whole = True

    def _take(self, piece: bytes) -> None:
        self.size += len(piece)
        self.digest.update(piece)
        if len(self.first) < KEPT:
            self.first = (self.first + piece)[:KEPT]
        self.last = (self.last + piece)[-KEPT:]

    async def answer(self, body: bytes, kind: str = "application/json", status: int = 200, **headers: str) -> None:
        """Send a whole answer."""
        fields = {"content-type": kind, "content-length": str(len(body)), "x-request-id": "req_far"}
        fields |= {name.replace("_", "-"): value for name, value in headers.items()}
        self.writer.write(_write_head(status, fields) + body)
        await self.writer.drain()

    async def begin(self, kind: str, status: int = 200) -> None:
        """Send the head of a chunked answer."""
        self.writer.write(_write_head(status, {"content-type": kind, "transfer-encoding": "chunked"}))
        await self.writer.drain()

    async def send_chunk(self, data: bytes) -> None:
        """Send one chunk; an empty one ends the answer."""
        self.writer.write(b"%x\r\n%b\r\n" % (len(data), data))
        await self.writer.drain()


def _write_head(status: int, fields: dict[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} Whatever", *(f"{name}: {value}" for name, value in fields.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


class Provider:
    """The server. ``routes`` maps ``METHOD path`` (without query) to a handler; anything else is 404."""

    def __init__(self) -> None:
        self.seen: list[Exchange] = []
        self.routes: dict[str, Handler] = {}
        self.faults: list[BaseException] = []
        self.left = threading.Event()
        """Set when a client left before the end of its exchange."""
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._up = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._up.wait(60)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def last(self) -> Exchange:
        return self.seen[-1]

    def clear(self) -> None:
        """Forget everything except the address."""
        self.seen.clear()
        self.routes.clear()
        self.left.clear()

    def stop(self) -> None:
        """End the thread; raises its errors."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        assert not self.faults, self.faults

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1]
        self._up.set()
        self._loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
            self._loop.run_until_complete(asyncio.wait([task]))
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                try:
                    head = await reader.readuntil(b"\r\n\r\n")
                except asyncio.IncompleteReadError as error:
                    assert not error.partial, error.partial
                    return
                exchange = Exchange(reader, writer, head[:-2])
                await self._handle_exchange(exchange)
                if not exchange.whole:  # closing now would reset the connection, and destroy the answer
                    while await reader.read(KEPT):
                        pass
                    return
        except (ConnectionError, asyncio.IncompleteReadError):
            self.left.set()
        except asyncio.CancelledError:
            pass
        except BaseException as error:  # noqa: BLE001 - stop raises it
            self.faults.append(error)
        finally:
            writer.close()

    async def _handle_exchange(self, exchange: Exchange) -> None:
        self.seen.append(exchange)
        path = exchange.target.partition("?")[0]
        handler = self.routes.get(f"{exchange.method} {path}")
        if handler is None:
            await exchange.read()
            missing = {"error": {"message": f"nothing at {exchange.method} {path}", "type": "invalid_request_error"}}
            await exchange.answer(json.dumps(missing).encode(), status=404)
            return
        await handler(exchange)


def answer_json(document: Any, status: int = 200) -> Handler:
    """Read the whole request, then answer with JSON."""

    async def answer(exchange: Exchange) -> None:
        await exchange.read()
        await exchange.answer(json.dumps(document).encode(), status=status)

    return answer


def answer_bytes(body: bytes, kind: str) -> Handler:
    """Read the whole request, then answer with bytes, in chunks of 1000."""

    async def answer(exchange: Exchange) -> None:
        await exchange.read()
        await exchange.begin(kind)
        for start in range(0, len(body), 1000):
            await exchange.send_chunk(body[start : start + 1000])
        await exchange.send_chunk(b"")

    return answer
