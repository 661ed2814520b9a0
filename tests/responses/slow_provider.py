"""A chat provider that answers piece by piece, as the test allows, and what tests of background responses share."""

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import openai

from processes import PATIENCE, Gateway, wait_until

ENDED = ("completed", "failed", "incomplete", "cancelled")
"""The statuses of a response that has ended."""
_USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}


class SlowProvider:
    """Writes one piece of its answer ("Hello") for each piece that :meth:`allow` permits.

    A streamed answer has four pieces: three of text and the finish reason. A whole answer has one.
    """

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.disconnects = threading.Semaphore(0)
        """One for each caller that disconnected before the end of its answer."""
        self._allowed = threading.Semaphore(0)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._make_handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def allow(self, pieces: int = 1) -> None:
        """Permit further pieces, of whichever answer asks first."""
        for _ in range(pieces):
            self._allowed.release()

    def close(self) -> None:
        """Let every answer end, and stop."""
        self.allow(100)
        self._server.shutdown()
        self._server.server_close()

    def _make_handler(self) -> type[BaseHTTPRequestHandler]:
        provider = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                provider.requests.append(body)
                self.send_response(200)
                self.send_header("content-type", "text/event-stream" if body.get("stream") else "application/json")
                self.send_header("connection", "close")
                self.end_headers()
                pieces = provider._write_stream() if body.get("stream") else provider._write_whole(body["model"])
                try:
                    for piece in pieces:
                        self.wfile.write(piece)
                except OSError:
                    provider.disconnects.release()
                self.close_connection = True

            def log_message(self, format: str, *args: Any) -> None:
                """Log nothing."""

        return Handler

    def _write_whole(self, model: str) -> Iterator[bytes]:
        """Write a whole answer; the model ``big`` answers with 4 MiB of text."""
        self._wait()
        text = "x" * (4 * 1024 * 1024) if model == "big" else "Hello"
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        answer = {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
        yield json.dumps({**answer, "usage": _USAGE}).encode()

    def _write_stream(self) -> Iterator[bytes]:
        for piece in ("He", "l", "lo"):
            self._wait()
            yield _write_chunk({"choices": [{"index": 0, "delta": {"content": piece}, "finish_reason": None}]})
        self._wait()
        yield _write_chunk({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        yield _write_chunk({"choices": [], "usage": _USAGE})
        yield b"data: [DONE]\n\n"

    def _wait(self) -> None:
        assert self._allowed.acquire(timeout=PATIENCE)


def _write_chunk(members: dict[str, Any]) -> bytes:
    chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", **members}
    return b"data: %b\n\n" % json.dumps(chunk).encode()


def open_client(gateway: Gateway, key: str | None = None) -> openai.OpenAI:
    """Return an official client of a gateway, with its admin key or another one."""
    return openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=key or gateway.key, max_retries=0, timeout=20)


def age_leases(gateway: Gateway, seconds: float) -> None:
    """Let the leases of a killed gateway end sooner, as if so many seconds had passed."""
    with closing(sqlite3.connect(gateway.data / "antiphon.db", timeout=PATIENCE)) as database, database:
        database.execute("UPDATE background SET lease = lease - ?", (int(seconds * 1_000_000),))


async def wait_for_end(client: openai.OpenAI, name: str, seconds: float = PATIENCE) -> Any:
    """Return a response once it has ended, asking for it as often as needed."""
    await wait_until(lambda: client.responses.retrieve(name).status in ENDED, seconds)
    return client.responses.retrieve(name)
