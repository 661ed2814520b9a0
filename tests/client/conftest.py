"""A quiet environment, clients of both kinds, and a server that answers with any bytes."""

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from antiphon import Antiphon, AsyncAntiphon
from processes import PATIENCE

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let no signal handler guard the time of these tests: in a program that has one, calls go to another thread."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.timeout(120, method="thread"))


@pytest.fixture(autouse=True)
def _quiet_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Remove the variables of providers and use an empty working directory, so that only the simulator is left."""
    for name in list(os.environ):
        if name.endswith(("_API_KEY", "_BASE_URL", "_HOST", "_TOKEN")) or name.startswith("ANTIPHON_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def config(tmp_path: Path) -> str:
    """A configuration file, so that the client does not look for local servers."""
    path = tmp_path / "quiet.yaml"
    path.write_text("version: 1\nmodels:\n  echo: sim/echo\n")
    return str(path)


@pytest.fixture
def client(config: str) -> Iterator[Antiphon]:
    with Antiphon(config=config) as client:
        yield client


@pytest.fixture
async def async_client(config: str) -> AsyncIterator[AsyncAntiphon]:
    async with AsyncAntiphon(config=config) as client:
        yield client


class RawServer:
    """Answers the first request of each connection with the bytes of a test; keeps the requests."""

    def __init__(self) -> None:
        self.answer = b""
        self.then_wait = False
        self.requests: list[bytes] = []
        self.sent = threading.Event()
        self.left = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()
        assert self._ready.wait(PATIENCE)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def set_json(self, status: str, body: bytes, *headers: bytes) -> None:
        """Answer with a whole JSON body."""
        lines = b"".join(header + b"\r\n" for header in headers)
        head = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n".encode()
        self.answer = head + lines + b"\r\n" + body

    def set_stream(self, body: bytes, *, length: int | None = None) -> None:
        """Answer with a body that ends with the connection, or has a stated length of ``length`` bytes."""
        length_header = b"" if length is None else b"content-length: %d\r\n" % length
        self.answer = (
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nx-antiphon-call-id: call_raw\r\n"
            b"x-antiphon-target: raw/model\r\nx-antiphon-attempts: 2\r\nconnection: close\r\n"
            + length_header
            + b"\r\n"
            + body
        )

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(10)

    def _serve(self) -> None:
        try:
            self._loop.run_until_complete(self._run())
        finally:
            self._loop.close()

    async def _run(self) -> None:
        self._stopping = asyncio.Event()
        server = await asyncio.start_server(self._answer_request, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stopping.wait()
        server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _answer_request(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(
                (int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0
            )
            self.requests.append(head + await reader.readexactly(length))
            writer.write(self.answer)
            await writer.drain()
            self.sent.set()
            if self.then_wait:
                await reader.read()
                self.left.set()
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()


@pytest.fixture
def raw() -> Iterator[RawServer]:
    server = RawServer()
    yield server
    server.close()
