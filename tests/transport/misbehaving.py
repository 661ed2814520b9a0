"""A server on real sockets whose bytes, timing and end are decided by a test.

It runs in the test's own loop: after ``send`` and ``turn`` the client has seen exactly what was sent, so the test
decides where bytes are split, and nothing depends on time.
"""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Awaitable, Callable, Iterable

from antiphon.types import Origin

Script = Callable[["Peer"], Awaitable[None]]


async def turn(times: int = 3) -> None:
    """Let the loop look at its sockets and run what became ready."""
    for _ in range(times):
        await asyncio.sleep(0)


async def wait_until(condition: Callable[[], object]) -> None:
    """Wait for something that another process's load may delay; the test's own time limit bounds it."""
    while not condition():
        await asyncio.sleep(0.001)


class Peer:
    """One accepted connection, as raw bytes. ``number`` counts connections from 0."""

    def __init__(self, sock: socket.socket, number: int) -> None:
        self.sock, self.number = sock, number
        self.loop = asyncio.get_running_loop()
        self.seen = bytearray()
        self.gone = asyncio.Event()

    async def read_request(self) -> bytes:
        """Return one whole request, or b"" if the client left before its end."""
        data = b""
        while not _is_whole(data):
            piece = await self.receive()
            if not piece:
                return b""
            data += piece
        return data

    async def receive(self) -> bytes:
        """Return the next bytes; b"" once the client has closed or reset the connection."""
        try:
            piece = await self.loop.sock_recv(self.sock, 65536)
        except OSError:
            piece = b""
        self.seen += piece
        if not piece:
            self.gone.set()
        return piece

    async def send(self, data: bytes) -> None:
        await self.loop.sock_sendall(self.sock, data)

    async def send_pieces(self, pieces: Iterable[bytes]) -> None:
        """Send each piece so that the client reads it alone."""
        for piece in pieces:
            await self.send(piece)
            await turn()

    def shut_down_sending(self) -> None:
        self.sock.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self.sock.close()

    def reset(self) -> None:
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


class Server:
    """Listens on a free port, or on a Unix socket, and runs ``script`` for each connection."""

    def __init__(self, script: Script, path: str = "") -> None:
        self.script = script
        self.path = path
        self.peers: list[Peer] = []
        self.requests: list[bytes] = []
        self.faults: list[BaseException] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> "Server":
        loop = asyncio.get_running_loop()
        if self.path:
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.bind(self.path)
            self.origin = Origin("http", "localhost", 0, self.path)
        else:
            self.sock = socket.create_server(("127.0.0.1", 0), backlog=512)
            self.origin = Origin("http", "127.0.0.1", self.sock.getsockname()[1])
        self.sock.listen(512)
        self.sock.setblocking(False)
        self._accepting = loop.create_task(self._accept(loop))
        return self

    async def __aexit__(self, *_: object) -> None:
        tasks = [self._accepting, *self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.sock.close()
        for peer in self.peers:
            peer.close()
        if self.faults:
            raise self.faults[0]

    async def _accept(self, loop: asyncio.AbstractEventLoop) -> None:
        while True:
            sock, _ = await loop.sock_accept(self.sock)
            sock.setblocking(False)
            if not self.path:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            peer = Peer(sock, len(self.peers))
            self.peers.append(peer)
            task = loop.create_task(self._run(peer))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _run(self, peer: Peer) -> None:
        try:
            await self.script(peer)
        except OSError:
            pass  # the client left while the script was sending
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 - __aexit__ raises it
            self.faults.append(error)
        finally:
            with contextlib.suppress(OSError):
                peer.close()


def answer_with(*answers: bytes | Iterable[bytes], then: Callable[[Peer], None] | None = None) -> Script:
    """Return a script that answers the requests of each connection in turn; the last answer is repeated.

    An answer is bytes, or pieces that the client reads one by one. ``then`` (``Peer.close``, ``Peer.reset``,
    ``Peer.shut_down_sending``) ends the connection after the last answer instead.
    """

    async def serve(peer: Peer) -> None:
        for number in range(10**9):
            request = await peer.read_request()
            if not request:
                return
            answer = answers[min(number, len(answers) - 1)]
            await peer.send_pieces([answer] if isinstance(answer, bytes) else answer)
            if then is not None and number >= len(answers) - 1:
                then(peer)
                if then is Peer.shut_down_sending:
                    await peer.receive()
                return

    return serve


def _is_whole(data: bytes) -> bool:
    head, blank, body = data.partition(b"\r\n\r\n")
    if not blank:
        return False
    length = 0
    for line in head.lower().split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name == b"content-length":
            length = int(value)
    return len(body) >= length


def write_length_answer(body: bytes, *fields: bytes, status: bytes = b"200 OK") -> bytes:
    lines = [b"HTTP/1.1 " + status, b"Content-Length: %d" % len(body), *fields]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def write_chunks(*chunks: bytes) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"


def write_chunked_answer(*chunks: bytes, fields: tuple[bytes, ...] = ()) -> bytes:
    lines = [b"HTTP/1.1 200 OK", b"Transfer-Encoding: chunked", *fields]
    return b"\r\n".join(lines) + b"\r\n\r\n" + write_chunks(*chunks)


def write_close_answer(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n" + body
