"""A provider behind LiteLLM: a real HTTP server that sends the answers a test sets and records the requests it gets."""

import asyncio
import json
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit


class ReceivedRequest(NamedTuple):
    """A request as it arrived; ``raw`` is its body."""

    method: str
    target: str
    headers: dict[str, str]
    raw: bytes

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, list[str]]:
        return parse_qs(urlsplit(self.target).query)

    @property
    def body(self) -> Any:
        return json.loads(self.raw)


class Reply(NamedTuple):
    """An answer: a body, or pieces sent one after the other; ``None`` never answers.

    With ``hold`` the pieces after the first wait until the event is set. With ``cut`` the connection closes after the
    pieces, without the end of the message.
    """

    body: bytes | list[bytes] | None
    status: int = 200
    headers: dict[str, str] = {}
    hold: asyncio.Event | None = None
    cut: bool = False


def make_reply(value: Any, status: int = 200, **headers: str) -> Reply:
    """Return an answer in JSON."""
    fields = {"content-type": "application/json"} | {name.replace("_", "-"): text for name, text in headers.items()}
    return Reply(json.dumps(value).encode(), status, fields)


def make_stream(*data: Any, named: bool = False, done: bool = True, **options: Any) -> Reply:
    """Return server-sent events."""
    pieces = []
    for item in data:
        name = f"event: {item['type']}\n" if named else ""
        pieces.append(f"{name}data: {json.dumps(item)}\n\n".encode())
    if done:
        pieces.append(b"data: [DONE]\n\n")
    return Reply(pieces, headers={"content-type": "text/event-stream"}, **options)


class RecordingProvider:
    """The provider. ``choose_reply`` makes the answers, ``requests`` holds every request.

    ``open_requests`` counts the requests that are not answered yet and whose client has not left.
    """

    def __init__(self) -> None:
        self.requests: list[ReceivedRequest] = []
        self.open_requests = 0
        self.choose_reply: Callable[[ReceivedRequest], Reply] = lambda _: make_reply({"error": {"message": "?"}}, 500)
        self._server: asyncio.Server | None = None
        self._connections: dict[asyncio.StreamWriter, asyncio.Task[None] | None] = {}
        self.port = 0

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        assert self._server is not None
        self._server.close()
        tasks = [task for task in self._connections.values() if task is not None]
        for writer in list(self._connections):
            writer.transport.abort()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def last(self) -> ReceivedRequest:
        return self.requests[-1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections[writer] = asyncio.current_task()
        try:
            while (request := await _read_request(reader)) is not None:
                self.requests.append(request)
                self.open_requests += 1
                try:
                    await _send(self.choose_reply(request), reader, writer)
                finally:
                    self.open_requests -= 1
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self._connections.pop(writer, None)
            writer.close()


async def _send(reply: Reply, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    if reply.body is None:
        await reader.read(1)  # returns when the client leaves
        raise ConnectionResetError
    fields = "".join(f"{name}: {value}\r\n" for name, value in reply.headers.items())
    head = f"HTTP/1.1 {reply.status} X\r\n{fields}"
    if isinstance(reply.body, bytes):
        writer.write(f"{head}content-length: {len(reply.body)}\r\n\r\n".encode() + reply.body)
        await writer.drain()
        return
    writer.write(f"{head}transfer-encoding: chunked\r\n\r\n".encode())
    for number, piece in enumerate(reply.body):
        if number == 1 and reply.hold is not None:
            await _wait_for_release(reply.hold, reader)
        writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        await writer.drain()
    if not reply.cut:
        writer.write(b"0\r\n\r\n")
        await writer.drain()
    raise ConnectionResetError  # a byte of the next request may have been read while waiting


async def _wait_for_release(hold: asyncio.Event, reader: asyncio.StreamReader) -> None:
    """Return when ``hold`` is set; raise ``ConnectionResetError`` if the client leaves first."""
    released, left = asyncio.ensure_future(hold.wait()), asyncio.ensure_future(reader.read(1))
    try:
        await asyncio.wait((released, left), return_when=asyncio.FIRST_COMPLETED)
        if left.done():
            raise ConnectionResetError
    finally:
        released.cancel()
        left.cancel()


async def _read_request(reader: asyncio.StreamReader) -> ReceivedRequest | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head[:-4].split("\r\n")
    method, target, _ = first.split(" ")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    length = int(headers.get("content-length", 0))
    if headers.get("transfer-encoding") == "chunked":
        body = b""
        while size := int((await reader.readline()).strip(), 16):
            body += await reader.readexactly(size)
            await reader.readexactly(2)
        await reader.readline()
        return ReceivedRequest(method, target, headers, body)
    return ReceivedRequest(method, target, headers, await reader.readexactly(length))
