"""What LiteLLM next door costs, and what it costs others: ``python -m bench.longtail``.

Needs ``antiphon longtail install``. Two questions, in alternating rounds against one mock provider:

- How much longer does a call through the gateway and LiteLLM's process take than the same call through LiteLLM's own
  SDK, one after the other? CPU time of all processes, which other work on the machine changes little, and medians of
  wall-clock time.
- How does the p99 of pass-through calls (eight connections, a pause after each answer) change while 64 calls go
  through LiteLLM at once, at a provider that takes a second, and at one that answers at once, which keeps LiteLLM at
  its limit? The 64 come from a process of their own, so that it is not the load that makes itself wait. Two controls
  say what of it is the gateway's: the same 64 calls without LiteLLM, and LiteLLM's SDK making them by itself, which
  never touches the gateway and only uses the same machine.

Prints Markdown.
"""

import argparse
import asyncio
import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from statistics import median

from antiphon.longtail.environment import get_installed
from bench.machine import cpu_seconds, free_port
from bench.nginx import REPLY
from bench.process import ROOT

BODY = json.dumps(
    {
        "model": "MODEL",
        "messages": [
            {"role": "system", "content": "You are a helpful assistant."},
            {"role": "user", "content": "Tell me about the quick brown fox and the lazy dog, please."},
        ],
    }
)
PAUSE = 0.005
"""Seconds between an answer and the next pass-through call of a connection."""

SDK = """
import asyncio, json, os, sys, time
os.environ |= {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_MODE": "PRODUCTION"}
import litellm
litellm.suppress_debug_info, litellm.telemetry = True, False
body = json.loads(sys.argv[1])
async def main():
    async def call():
        await litellm.acompletion(model="openai/m", messages=body["messages"], api_base=sys.argv[2], api_key="bench",
                                  num_retries=0, max_retries=0)
    for _ in range(100):
        await call()
    for line in sys.stdin:
        times = []
        for _ in range(int(line)):
            started = time.perf_counter()
            await call()
            times.append(time.perf_counter() - started)
        print(json.dumps(times), flush=True)
asyncio.run(main())
"""
"""LiteLLM as a program would use it: reads a number of calls per line, makes them, and writes how long each took."""

SDK_BESIDE = """
import asyncio, gc, json, os, sys, time
os.nice(10)
os.environ |= {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_MODE": "PRODUCTION"}
import litellm
litellm.suppress_debug_info, litellm.telemetry = True, False
gc.collect()
gc.freeze()
gc.set_threshold(50_000, 20, 100)
body, url, calls = json.loads(sys.argv[1]), sys.argv[2], 0
async def repeated(number, seconds):
    global calls
    await asyncio.sleep(number / 64)
    until = time.perf_counter() + seconds - number / 64
    while time.perf_counter() < until:
        await litellm.acompletion(model="openai/m", messages=body["messages"], api_base=url, api_key="bench",
                                  num_retries=0, max_retries=0)
        calls += 1
async def main():
    global calls
    await repeated(0, 0.01)
    for line in sys.stdin:
        calls = 0
        await asyncio.gather(*[repeated(number, float(line)) for number in range(64)])
        print(calls, flush=True)
asyncio.run(main())
"""
"""LiteLLM with the priority and collections of our worker, keeping 64 calls going for as many seconds as it reads."""


class Mock(asyncio.Protocol):
    """Answers each request with one completion; after a second where the path begins with ``/slow``."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, mark, rest = self._buffer.partition(b"\r\n\r\n")
        length = next(
            (int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0
        )
        if not mark or len(rest) < length:
            return
        self._buffer = rest[length:]
        answer = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (
            len(REPLY),
            REPLY.encode(),
        )
        delay = 1.0 if head.startswith(b"POST /slow") else 0.0
        asyncio.get_running_loop().call_later(delay, self.transport.write, answer)


async def mock(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Mock, "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


class Caller:
    """One kept connection to the gateway."""

    def __init__(self, port: int, key: str, model: str) -> None:
        self.port, self.key = port, key
        body = BODY.replace("MODEL", model).encode()
        self._request = (
            b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer %b\r\n"
            b"content-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (key.encode(), len(body), body)
        )
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def call(self) -> float:
        """Return the seconds of one whole call."""
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self.port)
        reader, writer = self._streams
        started = time.perf_counter()
        writer.write(self._request)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 "), head
        length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        await reader.readexactly(length)
        return time.perf_counter() - started

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()


async def repeated(caller: Caller, until: float, pause: float, times: list[float]) -> None:
    while time.perf_counter() < until:
        times.append(await caller.call())
        await asyncio.sleep(pause)
    caller.close()


Load = Callable[[float], AbstractAsyncContextManager[list[int]]]
"""Keeps calls going for some seconds beside what is measured; in the end the list says how many."""


@contextlib.asynccontextmanager
async def nobody(seconds: float) -> AsyncIterator[list[int]]:
    yield [0]


def through(caller: Caller, model: str) -> Load:
    """64 calls at once to ``model`` through the gateway."""

    @contextlib.asynccontextmanager
    async def load(seconds: float) -> AsyncIterator[list[int]]:
        command = ["-m", "bench.longtail", "--load", str(caller.port), caller.key, model, str(seconds)]
        process = await asyncio.create_subprocess_exec(
            sys.executable, *command, cwd=ROOT, stdout=asyncio.subprocess.PIPE
        )
        count: list[int] = []
        yield count
        count.append(int((await process.communicate())[0]))

    return load


def by_itself(child: "subprocess.Popen[str]") -> Load:
    """64 calls at once by LiteLLM's SDK, which knows nothing of the gateway."""

    @contextlib.asynccontextmanager
    async def load(seconds: float) -> AsyncIterator[list[int]]:
        told, heard = child.stdin, child.stdout
        assert told is not None
        assert heard is not None
        told.write(f"{seconds}\n")
        told.flush()
        count: list[int] = []
        yield count
        count.append(int(await asyncio.to_thread(heard.readline)))

    return load


async def passing(caller: Callable[[], Caller], seconds: float, load: Load) -> tuple[list[float], int]:
    """Return the times of pass-through calls, and how many calls were made beside them."""
    times: list[float] = []
    async with load(seconds + 1.5) as beside:
        await asyncio.sleep(1.0)
        until = time.perf_counter() + seconds
        await asyncio.gather(*[repeated(caller(), until, PAUSE, times) for _ in range(8)])
    return times, beside[0]


async def together(port: int, key: str, model: str, seconds: float) -> None:
    """Keep 64 calls going, begun one after the other within a second, and print how many there were."""
    until = time.perf_counter() + seconds
    times: list[float] = []

    async def one(number: int) -> None:
        await asyncio.sleep(number / 64)
        await repeated(Caller(port, key, model), until, 0, times)

    await asyncio.gather(*[one(number) for number in range(64)])
    print(len(times))


def p99(times: list[float]) -> float:
    return sorted(times)[int(len(times) * 0.99)]


@contextlib.asynccontextmanager
async def gateway(folder: Path, port: int) -> AsyncIterator[tuple[int, Callable[[str], Caller]]]:
    """A gateway with a direct provider and the same one behind LiteLLM: its pid, and what makes callers of it."""
    url = f"http://127.0.0.1:{port}"
    config = {
        "version": 1,
        "data": str(folder / "data"),
        "providers": {
            "direct": {"kind": "openai-compatible", "base_url": f"{url}/v1"},
            "slow-direct": {"kind": "openai-compatible", "base_url": f"{url}/slow"},
            "tail": {"kind": "openai", "via": "litellm", "base_url": f"{url}/v1", "api_key": "bench"},
            "slow": {"kind": "openai", "via": "litellm", "base_url": f"{url}/slow", "api_key": "bench"},
        },
    }
    path = folder / "antiphon.yaml"
    path.write_text(json.dumps(config), "utf-8")
    own = free_port()
    command = [sys.executable, "-m", "antiphon", "serve", "--config", str(path), "--port", str(own)]
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.DEVNULL)
    try:
        key = folder / "data" / "admin.key"
        while not key.exists():
            await asyncio.sleep(0.05)
        await asyncio.sleep(0.5)
        yield process.pid, lambda model: Caller(own, key.read_text("utf-8").strip(), model)
    finally:
        process.terminate()
        await process.wait()


async def added(pid: int, make: Callable[[str], Caller], url: str, rounds: int, calls: int) -> None:
    """Compare one call after the other: LiteLLM's SDK, and the gateway with LiteLLM behind it."""
    python = str(get_installed("data").python)
    child = subprocess.Popen(
        [python, "-I", "-c", SDK, BODY, f"{url}/v1"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdin is not None
    assert child.stdout is not None
    tail, direct = make("tail/m"), make("direct/m")
    for _ in range(100):
        await tail.call()
        await direct.call()
    out, into = child.stdout, child.stdin

    async def sdk() -> list[float]:
        into.write(f"{calls}\n")
        into.flush()
        times: list[float] = json.loads(await asyncio.to_thread(out.readline))
        return times

    async def gate(caller: Caller) -> list[float]:
        return [await caller.call() for _ in range(calls)]

    ways = {
        "LiteLLM's SDK, in process": (child.pid, sdk),
        "the gateway, and LiteLLM next door": (pid, lambda: gate(tail)),
        "the gateway alone, pass-through": (pid, lambda: gate(direct)),
    }
    times: dict[str, list[float]] = {name: [] for name in ways}
    cpu: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, (measured, way) in ways.items():
            before = cpu_seconds(measured)
            times[name] += await way()
            cpu[name].append((cpu_seconds(measured) - before) / calls)
    into.close()
    child.wait()
    figures = {name: (median(cpu[name]) * 1000, median(times[name]) * 1000) for name in ways}
    print("\n| one call after the other | CPU | median time |\n|---|--:|--:|")
    for name, (work, took) in figures.items():
        print(f"| {name} | {work:.2f} ms | {took:.2f} ms |")
    (alone, quick), (both, slow), _ = figures.values()
    print(f"| **added by not being in process** | **{both - alone:.2f} ms** | **{slow - quick:.2f} ms** |")


async def beside(make: Callable[[str], Caller], url: str, rounds: int, seconds: float) -> None:
    """Compare pass-through calls alone and beside 64 calls through LiteLLM."""
    python = str(get_installed("data").python)
    child = subprocess.Popen(
        [python, "-I", "-c", SDK_BESIDE, BODY, f"{url}/slow"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    cases = {
        "alone": nobody,
        "beside 64 to a provider of 1 s, without LiteLLM": through(make("slow-direct/m"), "slow-direct/m"),
        "beside 64 by LiteLLM's SDK, without the gateway": by_itself(child),
        "beside 64 through LiteLLM to a provider of 1 s": through(make("slow/m"), "slow/m"),
        "beside 64 through LiteLLM to one of 0 s": through(make("tail/m"), "tail/m"),
    }
    found: dict[str, list[list[float]]] = {name: [] for name in cases}
    rates: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(rounds):
        for name, load in cases.items():
            times, others = await passing(lambda: make("direct/m"), seconds, load)
            found[name].append(times)
            rates[name].append(others / (seconds + 1.5))
    child.communicate()
    alone = median(map(p99, found["alone"]))
    print("\n| pass-through calls | median | p99 (median of rounds) | | calls/s of the 64 |\n|---|--:|--:|--:|--:|")
    for name, runs in found.items():
        middle, high = median([each for run in runs for each in run]) * 1000, median(map(p99, runs))
        change = f"{(high / alone - 1) * 100:+.0f} %" if name != "alone" else ""
        print(f"| {name} | {middle:.2f} ms | {high * 1000:.2f} ms | {change} | {median(rates[name]):.0f} |")


async def run(rounds: int, calls: int, seconds: float) -> None:
    port = free_port()
    provider = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.longtail", "--mock", str(port), cwd=ROOT
    )
    try:
        with tempfile.TemporaryDirectory(prefix="antiphon-bench-") as folder:
            async with gateway(Path(folder), port) as (pid, make):
                await added(pid, make, f"http://127.0.0.1:{port}", rounds, calls)
                await beside(make, f"http://127.0.0.1:{port}", rounds, seconds)
    finally:
        provider.terminate()
        await provider.wait()


def main() -> None:
    import uvloop

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mock", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--load", nargs=4, help=argparse.SUPPRESS)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=5.0)
    options = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        if options.load:
            port, key, model, seconds = options.load
            uvloop.run(together(int(port), key, model, float(seconds)))
        else:
            uvloop.run(mock(options.mock) if options.mock else run(options.rounds, options.calls, options.seconds))


if __name__ == "__main__":
    main()
