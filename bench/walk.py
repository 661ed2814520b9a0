"""The Python calls, files and moves between files of one call: ``python -m bench.walk``.

The figures say how far somebody who reads the code of a call has to walk. A gateway runs in this process as
``antiphon serve`` would, with keys, journal and database. A driver in another thread is both its caller and its
provider, over real sockets. :func:`sys.setprofile` watches the thread of the event loop.

- *Calls* are the Python functions of ``src/antiphon`` that were entered: functions, methods and lambdas. A coroutine or
  a generator counts once, however often it was resumed. Comprehensions, other packages, and the background threads that
  sync the journal and write the database do not count.
- *Files* are the distinct files that these functions are defined in.
- *Moves* are the transitions, in the order of the calls, from a function to one in another file.

Each row counts:

- Whole: everything on the loop's thread, from the first byte of the request until the loop is idle after the answer.
- One stream chunk: everything from the arrival of a chunk in the middle of a stream until the loop is idle again. The
  driver sends a chunk only after its caller has received the previous one.
- SDK: everything from the call to its return, on the calling thread and on the loop's thread.

Each row is the most frequent result of several measurements, because a timer may fire during one. Prints Markdown.
"""

import argparse
import io
import json
import os
import signal
import socket
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, redirect_stdout
from dataclasses import asdict, dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from bench.machine import find_free_port
from bench.mock import HEAD, STOP, WORD
from bench.nginx import REPLY
from bench.process import ROOT, is_ready
from bench.report import render_walk

SOURCE = str(ROOT / "src" / "antiphon") + os.sep
COMPREHENSIONS = {"<listcomp>", "<dictcomp>", "<setcomp>", "<genexpr>"}
LOOP_THREAD = "antiphon"
"""The name of the SDK's thread that runs the event loop."""
MESSAGES = [{"role": "user", "content": "Tell me about the quick brown fox."}]
SETTLE = 0.02
"""Seconds within which the work that follows an answer is done."""


@dataclass(frozen=True)
class Walk:
    """The counts of one call or chunk."""

    calls: int
    files: int
    moves: int


class Watch:
    """Records every function of Antiphon that is entered between ``start`` and ``stop``."""

    def __init__(self) -> None:
        self._on = False
        self._seen: set[FrameType] = set()
        self._entered: list[CodeType] = []

    def install(self) -> None:
        """Watch this thread from now on."""
        sys.setprofile(self._notice)

    def install_for_loop_threads(self) -> None:
        """Watch this thread, and the SDK's event loop thread, which starts later."""
        self.install()
        threading.setprofile(self._choose_thread)

    def start(self) -> None:
        self._entered, self._seen = [], set()
        self._on = True

    def stop(self) -> Walk:
        """Return the counts since ``start``."""
        self._on = False
        files = [code.co_filename for code in self._entered]
        return Walk(len(files), len(set(files)), sum(before != after for before, after in pairwise(files)))

    def _choose_thread(self, frame: FrameType, event: str, argument: Any) -> None:
        sys.setprofile(self._notice if threading.current_thread().name == LOOP_THREAD else None)

    def _notice(self, frame: FrameType, event: str, argument: Any) -> None:
        code = frame.f_code
        if not self._on or event != "call" or not code.co_filename.startswith(SOURCE):
            return
        # A coroutine has one frame for all resumptions. Holding the frame keeps its address from being used again.
        if frame not in self._seen and code.co_name not in COMPREHENSIONS:
            self._seen.add(frame)
            self._entered.append(code)


class Driver:
    """Both the caller and the provider of a gateway, so that each step can wait for the previous one."""

    def __init__(self, watch: Watch, port: int, provider: socket.socket, key: str) -> None:
        self._watch = watch
        self._port, self._provider, self._key = port, provider, key
        self._upstream: socket.socket | None = None

    def walk_whole(self, path: str, model: str, reply: bytes) -> Walk:
        """Make one call, answer it as a whole, and return its counts."""
        with self._connect(path, model, stream=False) as (caller, ask):
            ask()  # opens the provider's connection
            self._answer_whole(reply)
            read_answer(caller)
            time.sleep(SETTLE)
            self._watch.start()
            ask()
            self._answer_whole(reply)
            read_answer(caller)
            time.sleep(SETTLE)
            return self._watch.stop()

    def walk_chunk(self, path: str, model: str, chunk: bytes, end: bytes, wanted: bytes) -> Walk:
        """Make one streamed call, and return the counts of a chunk in its middle; the caller gets it as ``wanted``."""
        with self._connect(path, model, stream=True) as (caller, ask):
            ask()
            provider = self._read_request()
            provider.sendall(HEAD + chunk)
            read_until(caller, wanted)
            for _ in range(4):
                time.sleep(SETTLE)
                self._watch.start()
                provider.sendall(chunk)
                read_until(caller, wanted)
            time.sleep(SETTLE)
            counts = self._watch.stop()
            provider.sendall(end)
            read_until(caller, b"\r\n0\r\n\r\n")
            return counts

    @contextmanager
    def _connect(self, path: str, model: str, stream: bool) -> Iterator[tuple[socket.socket, Callable[[], None]]]:
        body = json.dumps({"model": model, "max_tokens": 99, "messages": MESSAGES, "stream": stream}).encode()
        head = f"POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {self._key}\r\n"
        head += f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        with socket.create_connection(("127.0.0.1", self._port), timeout=30) as caller:
            yield caller, lambda: caller.sendall(head.encode() + body)

    def _answer_whole(self, reply: bytes) -> None:
        self._read_request().sendall(reply)

    def _read_request(self) -> socket.socket:
        """Read the gateway's request and return its connection, which the gateway reuses."""
        if self._upstream is None or not read_message(self._upstream):
            self._upstream, _ = self._provider.accept()
            self._upstream.settimeout(30)
            self._upstream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            read_message(self._upstream)
        return self._upstream

    def close(self) -> None:
        if self._upstream is not None:
            self._upstream.close()


def read_until(connection: socket.socket, mark: bytes) -> None:
    data = b""
    while mark not in data:
        part = connection.recv(65536)
        if not part:
            raise RuntimeError(f"the connection ended after {data!r}")
        data += part


def read_message(connection: socket.socket) -> bytes:
    """Return the head of one message with a content-length, or ``b""`` if the connection ended."""
    data = b""
    while b"\r\n\r\n" not in data:
        part = connection.recv(65536)
        if not part:
            return b""
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
    while len(body) < int(fields[b"content-length"]):
        body += connection.recv(65536)
    return head


def read_answer(connection: socket.socket) -> None:
    head = read_message(connection)
    if not head.startswith(b"HTTP/1.1 200 "):
        raise RuntimeError(f"the gateway answered {head!r}")


def make_reply(body: str) -> bytes:
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    return (head + body).encode()


CHAT = "/v1/chat/completions"
END = STOP + b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n"
ROWS: dict[str, Callable[[Driver], Walk]] = {
    "chat to chat, whole": lambda driver: driver.walk_whole(CHAT, "bench", make_reply(REPLY)),
    "chat to chat, one stream chunk": lambda driver: driver.walk_chunk(CHAT, "bench", WORD, END, b'"content":" word"'),
    "messages to chat, whole": lambda driver: driver.walk_whole("/v1/messages", "bench", make_reply(REPLY)),
    "messages to chat, one stream chunk": lambda driver: driver.walk_chunk(
        "/v1/messages", "bench", WORD, END, b'"text":" word"'
    ),
}
SDK_ROW = "synchronous SDK call"


def walk_gateway(folder: Path, times: int) -> dict[str, Walk]:
    """Return the rows of the gateway, which runs on this thread, the main one, until the driver has finished."""
    from antiphon.cli import run

    watch, port = Watch(), find_free_port()
    with socket.create_server(("127.0.0.1", 0)) as provider, ThreadPoolExecutor(1) as pool:
        config = write_config(folder, port, provider)
        rows = pool.submit(measure_rows, watch, port, provider, folder / "data" / "admin.key", times)
        rows.add_done_callback(lambda rows: os.kill(os.getpid(), signal.SIGTERM))
        # The driver sends this signal once the gateway is ready, because watching its start would take seconds.
        signal.signal(signal.SIGUSR1, lambda number, frame: watch.install())
        try:
            with redirect_stdout(io.StringIO()):  # the banner
                run(["serve", "--config", str(config)])
        finally:
            sys.setprofile(None)
        return rows.result()


def measure_rows(watch: Watch, port: int, provider: socket.socket, key_file: Path, times: int) -> dict[str, Walk]:
    """Measure every row of the gateway."""
    wait_until_ready(port)
    os.kill(os.getpid(), signal.SIGUSR1)
    driver = Driver(watch, port, provider, key_file.read_text(encoding="utf-8").strip())
    try:
        return {name: find_most_frequent(partial(row, driver), times) for name, row in ROWS.items()}
    finally:
        driver.close()


def walk_sdk(folder: Path, times: int) -> Walk:
    """Return the row of the SDK, which calls from this thread; the provider runs on another one."""
    from antiphon import Antiphon

    watch = Watch()
    with socket.create_server(("127.0.0.1", 0)) as provider:
        threading.Thread(target=serve_whole, args=(provider, make_reply(REPLY)), daemon=True).start()
        config = write_config(folder, 0, provider)
        watch.install_for_loop_threads()
        try:
            with Antiphon(config=str(config)) as client:
                client.chat("bench", MESSAGES)

                def call() -> Walk:
                    time.sleep(SETTLE)
                    watch.start()
                    client.chat("bench", MESSAGES)
                    return watch.stop()

                return find_most_frequent(call, times)
        finally:
            threading.setprofile(None)
            sys.setprofile(None)


def serve_whole(provider: socket.socket, reply: bytes) -> None:
    """Answer every request on the first connection with ``reply`` until the connection ends."""
    connection, _ = provider.accept()
    with connection:
        while read_message(connection):
            connection.sendall(reply)


def write_config(folder: Path, port: int, provider: socket.socket) -> Path:
    config = folder / "antiphon.yaml"
    url = f"http://127.0.0.1:{provider.getsockname()[1]}/v1"
    content = {
        "version": 1,
        "server": {"host": "127.0.0.1", "port": port},
        "data": str(folder / "data"),
        "providers": {"bench": {"kind": "openai", "base_url": url, "api_key": "bench"}},
        "models": {"bench": "bench/bench"},
    }
    config.write_text(json.dumps(content), encoding="utf-8")
    return config


def wait_until_ready(port: int) -> None:
    limit = time.monotonic() + 60
    while not is_ready(port, "/health/ready"):
        if time.monotonic() > limit:
            raise RuntimeError("the gateway was not ready within a minute")
        time.sleep(0.05)


def find_most_frequent(measure: Callable[[], Walk], times: int) -> Walk:
    return Counter(measure() for _ in range(times)).most_common(1)[0][0]


def measure_all(times: int) -> dict[str, Walk]:
    """Return every row: the most frequent of ``times`` measurements each."""
    with tempfile.TemporaryDirectory(prefix="antiphon-walk-") as name:
        gateway_folder, sdk_folder = Path(name) / "gateway", Path(name) / "sdk"
        gateway_folder.mkdir()
        sdk_folder.mkdir()
        return {**walk_gateway(gateway_folder, times), SDK_ROW: walk_sdk(sdk_folder, times)}


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m bench.walk", description="Count the Python calls, files and moves between files of one call."
    )
    parser.add_argument("--times", type=int, default=15, help="measurements of each row")
    parser.add_argument("--json", action="store_true", help="print JSON instead of Markdown")
    options = parser.parse_args()
    rows = {name: asdict(counts) for name, counts in measure_all(options.times).items()}
    print(json.dumps(rows, indent=2) if options.json else render_walk({"walk": rows}))


if __name__ == "__main__":
    main()
