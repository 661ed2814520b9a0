"""A client that reads many streams at once and counts their chunks, or opens silent streams and holds them open.

Run as ``python -m bench.streams URL --model M --key K --watch PID``; it prints one line of JSON. With ``--hold N`` it
opens N streams, waits for the first chunk of each, prints its line and keeps them open until its standard input ends.
"""

import argparse
import asyncio
import json
import sys
import time
from urllib.parse import urlsplit

import uvloop

from bench.machine import read_cpu_seconds

MARK = b"data: "
DONE = b"data: [DONE]"


class Stream(asyncio.Protocol):
    """One connection; with ``repeat`` it makes the next call as soon as its stream has ended."""

    transport: asyncio.Transport

    def __init__(self, request: bytes, repeat: bool) -> None:
        self._request, self._repeat = request, repeat
        self._tail = b""
        self.chunks = 0
        self.calls = 0
        self.problem = ""
        self.first = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]
        self.transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        # A mark may be split between two reads, so the last bytes of the previous read are searched again.
        text = self._tail + data
        self.chunks += text.count(MARK)
        self._tail = text[-(len(MARK) - 1) :]
        if not self.first.done():
            self._check_head(text)
        if text.endswith(b"0\r\n\r\n"):
            self._tail = b""
            self.calls += 1
            if self._repeat:
                self.transport.write(self._request)

    def _check_head(self, text: bytes) -> None:
        if text[:5] == b"HTTP/" and text.split(b" ", 2)[1] != b"200":
            self._fail(text[:500].decode(errors="replace"))
        elif self.chunks:
            self.first.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(f"the connection was closed: {exc}")

    def _fail(self, problem: str) -> None:
        self.problem = self.problem or problem
        if not self.first.done():
            self.first.set_result(None)


def build_request(url: str, model: str, key: str) -> bytes:
    parts = urlsplit(url)
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": "Tell me a story."}], "stream": True})
    return (
        f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


async def open_streams(options: argparse.Namespace, count: int, repeat: bool) -> list[Stream]:
    loop = asyncio.get_running_loop()
    parts = urlsplit(options.url)
    request = build_request(options.url, options.model, options.key)
    streams = []
    for _ in range(count):
        _, stream = await loop.create_connection(lambda: Stream(request, repeat), parts.hostname, parts.port)
        streams.append(stream)
    await asyncio.wait_for(asyncio.gather(*(stream.first for stream in streams)), 60)
    _check_problems(streams)
    return streams


def _check_problems(streams: list[Stream]) -> None:
    problems = [stream.problem for stream in streams if stream.problem]
    if problems:
        raise SystemExit(f"{len(problems)} of {len(streams)} streams failed; the first: {problems[0]}")


async def run_load(options: argparse.Namespace) -> None:
    streams = await open_streams(options, options.connections, repeat=True)
    await asyncio.sleep(options.warm)
    chunks, calls = (sum(s.chunks for s in streams), sum(s.calls for s in streams))
    started, cpu_before = time.perf_counter(), read_cpu_seconds(options.watch)
    await asyncio.sleep(options.seconds)
    # Chunks that are under way when the counters are read do not matter among thousands.
    chunks, calls = (sum(s.chunks for s in streams) - chunks, sum(s.calls for s in streams) - calls)
    cpu, seconds = read_cpu_seconds(options.watch) - cpu_before, time.perf_counter() - started
    _check_problems(streams)
    print(json.dumps({"chunks": chunks, "calls": calls, "seconds": seconds, "cpu": cpu}), flush=True)


async def hold_streams(options: argparse.Namespace) -> None:
    streams = await open_streams(options, options.hold, repeat=False)
    print(json.dumps({"open": len(streams)}), flush=True)
    await asyncio.to_thread(sys.stdin.read)
    _check_problems(streams)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--model", required=True)
    parser.add_argument("--key", required=True)
    parser.add_argument("--watch", type=int, default=0, help="the process whose CPU time is read")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--warm", type=float, default=2.0)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--hold", type=int, default=0)
    options = parser.parse_args()
    uvloop.run(hold_streams(options) if options.hold else run_load(options))


if __name__ == "__main__":
    main()
