"""A provider at the far end of LiteLLM: says what the test wants, keeps what it was asked."""

import asyncio
import json
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit


class Seen(NamedTuple):
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
    """An answer: a body, or pieces that come one after the other, ``pause`` seconds apart. ``None`` is silence."""

    body: bytes | list[bytes] | None
    status: int = 200
    headers: dict[str, str] = {}
    pause: float = 0.0
    cut: bool = False
    """Close after the pieces without the end of the message."""


def reply(value: Any, status: int = 200, **headers: str) -> Reply:
    """Return an answer in JSON."""
    fields = {"content-type": "application/json"} | {name.replace("_", "-"): text for name, text in headers.items()}
    return Reply(json.dumps(value).encode(), status, fields)


def events(*data: Any, named: bool = False, done: bool = True, **options: Any) -> Reply:
    """Return server-sent events."""
    pieces = []
    for each in data:
        name = f"event: {each['type']}\n" if named else ""
        pieces.append(f"{name}data: {json.dumps(each)}\n\n".encode())
    if done:
        pieces.append(b"data: [DONE]\n\n")
    return Reply(pieces, headers={"content-type": "text/event-stream"}, **options)


class Far:
    """The provider. ``answers`` says what to reply; ``seen`` is every request; ``open`` is how many are unanswered."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.open = 0
        self.answers: Callable[[Seen], Reply] = lambda _: reply({"error": {"message": "nothing is set"}}, 500)
        self._server: asyncio.Server | None = None
        self._open: dict[asyncio.StreamWriter, asyncio.Task[None] | None] = {}
        self.port = 0

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        assert self._server is not None
        self._server.close()
        serving = [task for task in self._open.values() if task is not None]
        for writer in list(self._open):
            writer.transport.abort()
        await asyncio.gather(*serving, return_exceptions=True)
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def last(self) -> Seen:
        return self.seen[-1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open[writer] = asyncio.current_task()
        try:
            while (seen := await _read(reader)) is not None:
                self.seen.append(seen)
                self.open += 1
                try:
                    await self._answer(self.answers(seen), reader, writer)
                finally:
                    self.open -= 1
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self._open.pop(writer, None)
            writer.close()

    async def _answer(self, answer: Reply, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if answer.body is None:
            await reader.read(1)  # until the other side leaves
            raise ConnectionResetError
        fields = "".join(f"{name}: {value}\r\n" for name, value in answer.headers.items())
        head = f"HTTP/1.1 {answer.status} X\r\n{fields}"
        if isinstance(answer.body, bytes):
            writer.write(f"{head}content-length: {len(answer.body)}\r\n\r\n".encode() + answer.body)
            await writer.drain()
            return
        writer.write(f"{head}transfer-encoding: chunked\r\n\r\n".encode())
        gone = asyncio.ensure_future(reader.read(1))
        try:
            for piece in answer.body:
                writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
                await writer.drain()
                await asyncio.wait((gone,), timeout=answer.pause)
                if gone.done():
                    raise ConnectionResetError
        finally:
            gone.cancel()
        if answer.cut:
            raise ConnectionResetError
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        raise ConnectionResetError  # the look for its leaving may have eaten into a next request


async def _read(reader: asyncio.StreamReader) -> Seen | None:
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
        return Seen(method, target, headers, body)
    return Seen(method, target, headers, await reader.readexactly(length))
