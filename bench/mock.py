"""A provider that streams: it writes each chunk separately, at intervals, on any number of connections.

Run as ``python -m bench.mock --port PORT``. The path of Messages answers with that wire's events. A request whose body
names ``bench-hold`` gets one chunk and then silence.
"""

import argparse
import asyncio
import contextlib
import json
from typing import Any

import uvloop

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def _write_chat_chunk(choices: list[dict[str, Any]], **more: Any) -> bytes:
    event = {"id": "chatcmpl-bench", "object": "chat.completion.chunk", "created": 1700000000, "model": "bench"}
    data = b"data: " + json.dumps({**event, "choices": choices, **more}, separators=(",", ":")).encode() + b"\n\n"
    return _write_http_chunk(data)


def _write_http_chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


WORD = _write_chat_chunk([{"index": 0, "delta": {"content": " word"}, "logprobs": None, "finish_reason": None}])
STOP = _write_chat_chunk([{"index": 0, "delta": {}, "logprobs": None, "finish_reason": "stop"}])
USAGE = _write_chat_chunk([], usage={"prompt_tokens": 19, "completion_tokens": 200, "total_tokens": 219})
END = _write_http_chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n"


def _write_message_event(data: dict[str, Any]) -> bytes:
    name = data["type"].encode()
    return _write_http_chunk(b"event: %b\ndata: %b\n\n" % (name, json.dumps(data, separators=(",", ":")).encode()))


MESSAGE = {"id": "msg_bench", "type": "message", "role": "assistant", "model": "bench", "content": []}
BEGIN = _write_message_event(
    {"type": "message_start", "message": {**MESSAGE, "usage": {"input_tokens": 19, "output_tokens": 1}}}
) + _write_message_event({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}})
DELTA = _write_message_event(
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": " word"}}
)
FINISH = (
    _write_message_event({"type": "content_block_stop", "index": 0})
    + _write_message_event(
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 200}}
    )
    + _write_message_event({"type": "message_stop"})
    + b"0\r\n\r\n"
)
HEALTH = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


class Streamer(asyncio.Protocol):
    """One connection: reads whole requests and answers each with a paced stream."""

    transport: asyncio.Transport

    def __init__(self, chunks: int, spacing: float) -> None:
        self._chunks, self._spacing = chunks, spacing
        self._buffer = b""
        self._timer: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, mark, rest = self._buffer.partition(b"\r\n\r\n")
        if not mark:
            return
        length = 0
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                length = int(line[15:])
        if len(rest) < length:
            return
        self._buffer = rest[length:]
        self._answer(head, rest[:length])

    def _answer(self, head: bytes, body: bytes) -> None:
        if head.startswith(b"GET"):
            self.transport.write(HEALTH)
        elif head.startswith(b"POST /v1/messages"):
            self.transport.write(HEAD + BEGIN + DELTA)
            self._timer = self._loop.call_later(self._spacing, self._step, self._chunks - 1, FINISH, DELTA)
        elif b"bench-hold" in body:
            self.transport.write(HEAD + WORD)
        else:
            self.transport.write(HEAD + WORD)
            tail = STOP + (USAGE if b"include_usage" in body else b"") + END
            self._timer = self._loop.call_later(self._spacing, self._step, self._chunks - 1, tail, WORD)

    def _step(self, left: int, tail: bytes, word: bytes) -> None:
        if left == 0:
            self.transport.write(tail)
            return
        self.transport.write(word)
        self._timer = self._loop.call_later(self._spacing, self._step, left - 1, tail, word)


async def serve(port: int, chunks: int, spacing: float) -> None:
    server = await asyncio.get_running_loop().create_server(
        lambda: Streamer(chunks, spacing), "127.0.0.1", port, backlog=4096
    )
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--chunks", type=int, default=200)
    parser.add_argument("--spacing", type=float, default=0.01, help="seconds between chunks")
    options = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(serve(options.port, options.chunks, options.spacing))


if __name__ == "__main__":
    main()
