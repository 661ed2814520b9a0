"""CPU time of one call through an SDK in its own process: ``python -m bench.sdk openai|antiphon|litellm …``.

Every SDK calls the same provider over its own connection, one call after the other. Prints one line of JSON.
"""

import argparse
import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import Any

MESSAGES = [
    {"role": "system", "content": "You are a helpful assistant."},
    {"role": "user", "content": "Tell me about the quick brown fox and the lazy dog, please."},
]


def make_openai_sync(options: argparse.Namespace) -> Callable[[], object]:
    from openai import OpenAI

    client = OpenAI(base_url=options.base_url, api_key="bench", max_retries=0)
    return lambda: client.chat.completions.create(model="bench", messages=MESSAGES)  # type: ignore[arg-type]


def make_openai_async(options: argparse.Namespace) -> Callable[[], Awaitable[object]]:
    from openai import AsyncOpenAI

    client = AsyncOpenAI(base_url=options.base_url, api_key="bench", max_retries=0)
    return lambda: client.chat.completions.create(model="bench", messages=MESSAGES)  # type: ignore[arg-type]


def make_antiphon_sync(options: argparse.Namespace) -> Callable[[], object]:
    from antiphon import Antiphon

    client = Antiphon(config=options.config)
    return lambda: client.chat("bench", MESSAGES)


def make_antiphon_async(options: argparse.Namespace) -> Callable[[], Awaitable[object]]:
    from antiphon import AsyncAntiphon

    client = AsyncAntiphon(config=options.config)
    return lambda: client.chat("bench", MESSAGES)


def _make_litellm(name: str, options: argparse.Namespace) -> Callable[[], Any]:
    function = getattr(import_module("litellm"), name)
    settings = {"api_base": options.base_url, "api_key": "bench", "num_retries": 0}
    return lambda: function(model="openai/bench", messages=MESSAGES, **settings)


MAKERS: dict[str, tuple[Callable[[argparse.Namespace], Callable[[], Any]], bool]] = {
    "openai": (make_openai_sync, False),
    "openai-async": (make_openai_async, True),
    "antiphon": (make_antiphon_sync, False),
    "antiphon-async": (make_antiphon_async, True),
    "litellm": (lambda options: _make_litellm("completion", options), False),
    "litellm-async": (lambda options: _make_litellm("acompletion", options), True),
}


def measure_sync(call: Callable[[], object], warm: int, count: int) -> float:
    for _ in range(warm):
        call()
    before = time.process_time()
    for _ in range(count):
        call()
    return (time.process_time() - before) / count


async def measure_async(make: Callable[[], Callable[[], Awaitable[object]]], warm: int, count: int) -> float:
    call = make()
    for _ in range(warm):
        await call()
    before = time.process_time()
    for _ in range(count):
        await call()
    return (time.process_time() - before) / count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sdk", choices=MAKERS)
    parser.add_argument("--base-url", required=True)
    parser.add_argument("--config", default=None)
    parser.add_argument("--warm", type=int, default=50)
    parser.add_argument("--count", type=int, default=500)
    options = parser.parse_args()
    make, is_async = MAKERS[options.sdk]
    if is_async:
        cpu = asyncio.run(measure_async(lambda: make(options), options.warm, options.count))
    else:
        cpu = measure_sync(make(options), options.warm, options.count)
    print(json.dumps({"cpu": cpu}))


if __name__ == "__main__":
    main()
