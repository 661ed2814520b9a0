"""A TLS server in a thread, whose ``close_notify`` is decided by a test, and a CONNECT proxy."""

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import Callable

from antiphon.types import Origin

Serve = Callable[[ssl.SSLSocket], None]


def read_request(sock: ssl.SSLSocket | socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data or (data.endswith(b"\r\n\r\n") and b"content-length: 0" not in data):
        piece = sock.recv(65536)
        if not piece:
            break
        data += piece
    return data


def end_in_order(sock: ssl.SSLSocket) -> None:
    """Send ``close_notify``, then close."""
    with contextlib.suppress(OSError, ValueError):
        sock.unwrap().close()


def cut(sock: ssl.SSLSocket) -> None:
    """Close the TCP connection without ``close_notify``."""
    sock.shutdown(socket.SHUT_WR)
    sock.close()


class TlsServer:
    """Serves each connection with ``serve``; ``plain`` is every decrypted byte that it received."""

    def __init__(self, context: ssl.SSLContext, serve: Serve, host: str = "127.0.0.1") -> None:
        self.context, self.serve = context, serve
        self.plain = b""
        self.connections = 0
        self.sock = socket.create_server(("127.0.0.1", 0))
        self.origin = Origin("https", host, self.sock.getsockname()[1])
        self._threads: list[threading.Thread] = []
        self._open: list[socket.socket] = []

    def __enter__(self) -> "TlsServer":
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        for sock in (self.sock, *self._open):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()
        for thread in self._threads:
            thread.join(5)
            assert not thread.is_alive()

    def _start(self, target: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self.sock.accept()
                self.connections += 1
                sock.settimeout(10)
                self._open.append(sock)
                self._start(self._run, sock)

    def _run(self, raw: socket.socket) -> None:
        try:
            sock = self.context.wrap_socket(raw, server_side=True)
        except (OSError, ValueError):
            raw.close()
            return
        self._open.append(sock)
        receive = sock.recv

        def receive_and_note(size: int = 65536, flags: int = 0) -> bytes:
            data = receive(size, flags)
            self.plain += data
            return data

        sock.recv = receive_and_note  # type: ignore[method-assign]
        with contextlib.suppress(OSError, ValueError):
            self.serve(sock)
        sock.close()


class Proxy:
    """A CONNECT proxy that received ``heads``. If ``answer`` is given, it is sent instead of a tunnel."""

    def __init__(self, answer: bytes | None = None, context: ssl.SSLContext | None = None, close: bool = False) -> None:
        self.answer, self.context, self.close_after = answer, context, close
        self.heads: list[bytes] = []
        self.passed = b""
        self.left = asyncio.Event()
        """The client has left a connection that was given no tunnel."""
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> "Proxy":
        self.server = await asyncio.start_server(self._on_connection, "127.0.0.1", 0, ssl=self.context)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self.server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _on_connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            try:
                head = await reader.readuntil(b"\r\n\r\n")
                self.heads.append(head)
                await self._serve(head, reader, writer)
            except asyncio.CancelledError:
                pass
            finally:
                writer.transport.abort()
                with contextlib.suppress(OSError, asyncio.CancelledError):  # the test may end just now
                    await writer.wait_closed()

    async def _serve(self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.answer is not None:
            writer.write(self.answer)
            await writer.drain()
            if not self.close_after:
                self.passed += await reader.read()
                self.left.set()
            return
        port = int(head.split()[1].rpartition(b":")[2])
        server_reader, server_writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        back = asyncio.ensure_future(_copy(server_reader, writer))
        try:
            while data := await reader.read(65536):
                self.passed += data
                server_writer.write(data)
                await server_writer.drain()
        finally:
            server_writer.transport.abort()
            back.cancel()
            await asyncio.gather(back, return_exceptions=True)
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await server_writer.wait_closed()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
