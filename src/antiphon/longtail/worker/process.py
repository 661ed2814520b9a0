"""The worker's process, from its configuration to its end.

Its configuration (socket, secret, authorities) is one line of JSON on standard input, because others can read arguments
and environments. Standard input ends when the gateway's process ends, and then this process ends too. It writes
``ready`` to standard output when it takes calls.
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
from .log_filter import install_log_filter, log
from .server import Server


class Config(NamedTuple):
    """The configuration from the gateway."""

    socket: str
    secret: str
    ca_file: str | None


def end_with_parent(stdin: Any) -> None:
    """End this process when the process that started it ends, however that happens."""
    if sys.platform == "linux":
        # The thread below cannot run while an extension holds the interpreter's lock.
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG

    def wait() -> None:
        with suppress(OSError):
            while stdin.read(1):
                pass
        os._exit(0)

    threading.Thread(target=wait, name="parent", daemon=True).start()


async def serve(config: Config, litellm: Any, ready: int) -> None:
    """Serve calls until the process ends; ``ready`` is the descriptor that reports the start."""
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: log.error("unhandled: %s", type(context.get("exception")).__name__))
    await Server(config.socket, config.secret, litellm).start()
    os.write(ready, b"ready\n")
    await loop.create_future()


def run() -> None:
    """Run the worker; never returns."""
    ready, errors = os.dup(1), os.fdopen(os.dup(2), "w", encoding="utf-8", buffering=1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    install_log_filter(errors)
    stdin = sys.stdin.buffer
    config = Config(**json.loads(stdin.readline()))
    end_with_parent(stdin)
    # The gateway's own work goes first if processors are short.
    os.nice(10)
    litellm = load(config.socket, config.ca_file)
    # 300,000 objects live as long as the process; collecting garbage among them costs each call 0.3 ms.
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
    asyncio.run(serve(config, litellm, ready))
