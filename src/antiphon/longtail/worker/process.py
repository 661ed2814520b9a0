"""The worker's process, from what it is told to its end.

What it must know (socket, secret, authorities) comes as one line of JSON on standard input, because arguments and
environments can be read by others; the end of standard input is the end of the process that started it, and of this
one. ``ready`` on standard output says that calls may come.
"""

import asyncio
import ctypes
import gc
import json
import os
import signal
import sys
import threading
from contextlib import suppress
from typing import Any, NamedTuple

from .library import load
from .logs import hush, log
from .server import Server


class Config(NamedTuple):
    """What the gateway tells at the start."""

    socket: str
    secret: str
    ca_file: str | None


def end_with_parent(stdin: Any) -> None:
    """End when the process that started this one does, however it ends."""
    if sys.platform == "linux":
        # Beside the thread: it cannot run while an extension holds the interpreter.
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG

    def wait() -> None:
        with suppress(OSError):
            while stdin.read(1):
                pass
        os._exit(0)

    threading.Thread(target=wait, name="parent", daemon=True).start()


async def serve(config: Config, litellm: Any, ready: int) -> None:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, told: log.error("unhandled: %s", type(told.get("exception")).__name__))
    await Server(config.socket, config.secret, litellm).run()
    os.write(ready, b"ready\n")
    await loop.create_future()


def main() -> None:
    ready, errors = os.dup(1), os.fdopen(os.dup(2), "w", encoding="utf-8", buffering=1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    hush(errors)
    stdin = sys.stdin.buffer
    config = Config(**json.loads(stdin.readline()))
    end_with_parent(stdin)
    # The gateway's own calls go first where processors are short.
    os.nice(10)
    litellm = load(config.socket, config.ca_file)
    # A third of a million objects live as long as the process; looking through them costs each call 0.3 ms.
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
    asyncio.run(serve(config, litellm, ready))
