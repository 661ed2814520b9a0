"""The least a Python gateway can do: uvicorn in front, an httptools client behind, bytes passed on unread.

Run as ``python -m bench.bare --port PORT --whole PORT --paced PORT``. It has no keys, limits, error handling or
records: it is a lower bound for every figure, not a product.
"""

import argparse
import asyncio
from typing import Any

import httptools
import uvicorn


class Upstream(asyncio.Protocol):
    """One kept-alive connection: send a request, then read parts of the body until ``b""``."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiter: asyncio.Future[None] | None = None
        self._reset()

    def _reset(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self.parts: list[bytes] = []
        self.content_type = b""
        self.has_head = self.ended = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"content-type":
            self.content_type = value

    def on_headers_complete(self) -> None:
        self.has_head = True

    def on_body(self, body: bytes) -> None:
        self.parts.append(body)

    def on_message_complete(self) -> None:
        self.ended = True

    async def send(self, data: bytes) -> int:
        self._reset()
        self.transport.write(data)
        while not self.has_head:
            await self._wait()
        return int(self._parser.get_status_code())

    async def read_part(self) -> bytes:
        """Return the bytes of the body that have arrived; ``b""`` at its end."""
        while not self.parts and not self.ended:
            await self._wait()
        data, self.parts = b"".join(self.parts), []
        return data

    async def _wait(self) -> None:
        self._waiter = self._loop.create_future()
        await self._waiter


class App:
    """The ASGI application: the first segment of the path chooses the provider's port."""

    def __init__(self, ports: dict[str, int]) -> None:
        self._ports = ports
        self._idle: dict[str, list[Upstream]] = {name: [] for name in ports}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        _, name, path = scope["path"].split("/", 2)
        if name not in self._ports:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"ok"})
            return
        await self._forward(name, path, await _read_body(receive), send)

    async def _forward(self, name: str, path: str, body: bytes, send: Any) -> None:
        upstream = self._idle[name].pop() if self._idle[name] else await self._connect(name)
        head = f"POST /{path} HTTP/1.1\r\nHost: mock\r\nContent-Type: application/json\r\n"
        status = await upstream.send(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        headers = [(b"content-type", upstream.content_type)]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        while not upstream.ended or upstream.parts:
            data = await upstream.read_part()
            await send({"type": "http.response.body", "body": data, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
        self._idle[name].append(upstream)

    async def _connect(self, name: str) -> Upstream:
        _, upstream = await asyncio.get_running_loop().create_connection(Upstream, "127.0.0.1", self._ports[name])
        return upstream


async def _read_body(receive: Any) -> bytes:
    parts = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--whole", type=int, required=True)
    parser.add_argument("--paced", type=int, required=True)
    options = parser.parse_args()
    uvicorn.run(
        App({"whole": options.whole, "paced": options.paced}),
        port=options.port,
        http="httptools",
        loop="uvloop",
        lifespan="off",
        log_level="error",
        access_log=False,
        backlog=4096,
        server_header=False,
        date_header=False,
    )


if __name__ == "__main__":
    main()
