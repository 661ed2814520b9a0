"""What calls through LiteLLM's process cost, and how they slow down other calls: ``python -m bench.longtail``.

It needs ``antiphon longtail install``, and answers two questions in alternating rounds against one mock provider:

- How much longer does a call through the gateway and LiteLLM's process take than a call through LiteLLM's SDK? The
  calls are made one after the other. The figures are the CPU time of all processes, which other work on the machine
  changes little, and the median wall-clock time.
- How does the p99 of pass-through calls (eight connections, a pause after each answer) change while 64 concurrent calls
  go through LiteLLM? The provider of the 64 either takes a second or answers immediately, which keeps LiteLLM at its
  limit. The 64 come from a separate process, so that making them does not delay the measured calls. Two controls show
  how much of the change the gateway causes: the same 64 calls without LiteLLM, and 64 calls by LiteLLM's SDK, which use
  the same machine but not the gateway.

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
from bench.machine import find_free_port, read_cpu_seconds
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
"""LiteLLM as a program would use it: it reads a number of calls per line, makes them, and prints their times."""

SDK_LOAD = """
import asyncio, gc, json, os, sys, time
os.nice(10)
os.environ |= {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_MODE": "PRODUCTION"}
import litellm
litellm.suppress_debug_info, litellm.telemetry = True, False
gc.collect()
gc.freeze()
gc.set_threshold(50_000, 20, 100)
body, url, calls = json.loads(sys.argv[1]), sys.argv[2], 0
async def repeat_calls(number, seconds):
    global calls
    await asyncio.sleep(number / 64)
    until = time.perf_counter() + seconds - number / 64
    while time.perf_counter() < until:
        await litellm.acompletion(model="openai/m", messages=body["messages"], api_base=url, api_key="bench",
                                  num_retries=0, max_retries=0)
        calls += 1
async def main():
    global calls
    await repeat_calls(0, 0.01)
    for line in sys.stdin:
        calls = 0
        await asyncio.gather(*[repeat_calls(number, float(line)) for number in range(64)])
        print(calls, flush=True)
asyncio.run(main())
"""
"""LiteLLM with the priority and garbage collection of our worker: per line it keeps 64 calls going for that many
seconds, and prints their number."""


class Mock(asyncio.Protocol):
    """Answers each request with one completion, after a second if the path begins with ``/slow``."""

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


async def serve_mock(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Mock, "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


class Caller:
    """One persistent connection to the gateway."""

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


async def repeat_calls(caller: Caller, until: float, pause: float, times: list[float]) -> None:
    while time.perf_counter() < until:
        times.append(await caller.call())
        await asyncio.sleep(pause)
    caller.close()


Load = Callable[[float], AbstractAsyncContextManager[list[int]]]
"""Makes other calls for some seconds during a measurement; the list then holds their number."""


@contextlib.asynccontextmanager
async def add_no_load(seconds: float) -> AsyncIterator[list[int]]:
    yield [0]


def make_gateway_load(caller: Caller, model: str) -> Load:
    """Return the load of 64 concurrent calls to ``model`` through the gateway."""

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


def make_litellm_load(child: "subprocess.Popen[str]") -> Load:
    """Return the load of 64 concurrent calls by LiteLLM's SDK, which does not use the gateway."""

    @contextlib.asynccontextmanager
    async def load(seconds: float) -> AsyncIterator[list[int]]:
        child_input, child_output = child.stdin, child.stdout
        assert child_input is not None
        assert child_output is not None
        child_input.write(f"{seconds}\n")
        child_input.flush()
        count: list[int] = []
        yield count
        count.append(int(await asyncio.to_thread(child_output.readline)))

    return load


async def measure_passthrough(caller: Callable[[], Caller], seconds: float, load: Load) -> tuple[list[float], int]:
    """Return the times of pass-through calls, and the number of calls that the load made meanwhile."""
    times: list[float] = []
    async with load(seconds + 1.5) as count:
        await asyncio.sleep(1.0)
        until = time.perf_counter() + seconds
        await asyncio.gather(*[repeat_calls(caller(), until, PAUSE, times) for _ in range(8)])
    return times, count[0]


async def run_load(port: int, key: str, model: str, seconds: float) -> None:
    """Keep 64 calls going, which begin one after the other within a second, and print how many were made."""
    until = time.perf_counter() + seconds
    times: list[float] = []

    async def start_caller(number: int) -> None:
        await asyncio.sleep(number / 64)
        await repeat_calls(Caller(port, key, model), until, 0, times)

    await asyncio.gather(*[start_caller(number) for number in range(64)])
    print(len(times))


def compute_p99(times: list[float]) -> float:
    return sorted(times)[int(len(times) * 0.99)]


@contextlib.asynccontextmanager
async def run_gateway(folder: Path, port: int) -> AsyncIterator[tuple[int, Callable[[str], Caller]]]:
    """Run a gateway with a direct provider and the same one behind LiteLLM; yield its pid and a maker of callers."""
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
    gateway_port = find_free_port()
    command = [sys.executable, "-m", "antiphon", "serve", "--config", str(path), "--port", str(gateway_port)]
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.DEVNULL)
    try:
        key = folder / "data" / "admin.key"
        while not key.exists():
            await asyncio.sleep(0.05)
        await asyncio.sleep(0.5)
        yield process.pid, lambda model: Caller(gateway_port, key.read_text("utf-8").strip(), model)
    finally:
        process.terminate()
        await process.wait()


async def compare_latency(pid: int, make: Callable[[str], Caller], url: str, rounds: int, calls: int) -> None:
    """Compare calls made one after the other through LiteLLM's SDK, the gateway with LiteLLM, and the gateway alone."""
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
    child_input, child_output = child.stdin, child.stdout

    async def call_sdk() -> list[float]:
        child_input.write(f"{calls}\n")
        child_input.flush()
        times: list[float] = json.loads(await asyncio.to_thread(child_output.readline))
        return times

    async def call_gateway(caller: Caller) -> list[float]:
        return [await caller.call() for _ in range(calls)]

    cases = {
        "LiteLLM's SDK, in process": (child.pid, call_sdk),
        "the gateway, with LiteLLM in a separate process": (pid, lambda: call_gateway(tail)),
        "the gateway alone, pass-through": (pid, lambda: call_gateway(direct)),
    }
    times: dict[str, list[float]] = {name: [] for name in cases}
    cpu: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(rounds):
        for name, (measured_pid, make_calls) in cases.items():
            before = read_cpu_seconds(measured_pid)
            times[name] += await make_calls()
            cpu[name].append((read_cpu_seconds(measured_pid) - before) / calls)
    child_input.close()
    child.wait()
    figures = {name: (median(cpu[name]) * 1000, median(times[name]) * 1000) for name in cases}
    print("\n| one call after the other | CPU | median time |\n|---|--:|--:|")
    for name, (work, duration) in figures.items():
        print(f"| {name} | {work:.2f} ms | {duration:.2f} ms |")
    (sdk_cpu, sdk_time), (gateway_cpu, gateway_time), _ = figures.values()
    added_cpu, added_time = gateway_cpu - sdk_cpu, gateway_time - sdk_time
    print(f"| **added by the gateway and the separate process** | **{added_cpu:.2f} ms** | **{added_time:.2f} ms** |")


async def compare_p99(make: Callable[[str], Caller], url: str, rounds: int, seconds: float) -> None:
    """Compare the p99 of pass-through calls alone and during 64 concurrent calls through LiteLLM."""
    python = str(get_installed("data").python)
    child = subprocess.Popen(
        [python, "-I", "-c", SDK_LOAD, BODY, f"{url}/slow"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    cases = {
        "alone": add_no_load,
        "with 64 calls to a provider that takes 1 s, without LiteLLM": make_gateway_load(
            make("slow-direct/m"), "slow-direct/m"
        ),
        "with 64 calls by LiteLLM's SDK, without the gateway": make_litellm_load(child),
        "with 64 calls through LiteLLM to a provider that takes 1 s": make_gateway_load(make("slow/m"), "slow/m"),
        "with 64 calls through LiteLLM to a provider that takes 0 s": make_gateway_load(make("tail/m"), "tail/m"),
    }
    samples: dict[str, list[list[float]]] = {name: [] for name in cases}
    rates: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(rounds):
        for name, load in cases.items():
            times, others = await measure_passthrough(lambda: make("direct/m"), seconds, load)
            samples[name].append(times)
            rates[name].append(others / (seconds + 1.5))
    child.communicate()
    alone = median(map(compute_p99, samples["alone"]))
    print("\n| pass-through calls | median | p99 (median of rounds) | | calls/s of the 64 |\n|---|--:|--:|--:|--:|")
    for name, rounds_times in samples.items():
        middle = median([seconds for times in rounds_times for seconds in times]) * 1000
        high = median(map(compute_p99, rounds_times))
        change = f"{(high / alone - 1) * 100:+.0f} %" if name != "alone" else ""
        print(f"| {name} | {middle:.2f} ms | {high * 1000:.2f} ms | {change} | {median(rates[name]):.0f} |")


async def compare_all(rounds: int, calls: int, seconds: float) -> None:
    port = find_free_port()
    provider = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.longtail", "--mock", str(port), cwd=ROOT
    )
    try:
        with tempfile.TemporaryDirectory(prefix="antiphon-bench-") as folder:
            async with run_gateway(Path(folder), port) as (pid, make):
                await compare_latency(pid, make, f"http://127.0.0.1:{port}", rounds, calls)
                await compare_p99(make, f"http://127.0.0.1:{port}", rounds, seconds)
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
            uvloop.run(run_load(int(port), key, model, float(seconds)))
        else:
            uvloop.run(
                serve_mock(options.mock)
                if options.mock
                else compare_all(options.rounds, options.calls, options.seconds)
            )


if __name__ == "__main__":
    main()
