"""The life of clients: loops, threads, forks, interrupts, leaving without closing, leaving the interpreter."""

import asyncio
import gc
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from antiphon import Antiphon, AsyncAntiphon, Cancelled
from living import PATIENCE, allow

SLOW = "sim/lorem-200:tps=20"


def _threads() -> int:
    return sum(thread.name == "antiphon" for thread in threading.enumerate())


def _wait_until(condition: object, seconds: float = PATIENCE) -> bool:
    due = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        if time.monotonic() > due:
            return False
        time.sleep(0.01)
    return True


def test_closing_is_idempotent_ends_the_thread_and_later_calls_say_so(config: str) -> None:
    client = Antiphon(config=config)
    client.chat("sim/echo", "x")
    assert _threads() == 1
    client.close()
    client.close()
    assert _threads() == 0
    for use in (lambda: client.chat("sim/echo", "x"), lambda: next(client.stream("sim/echo", "x")), client.models):
        with pytest.raises(RuntimeError, match="closed"):
            use()


async def test_closing_the_asynchronous_client_is_idempotent_too(config: str) -> None:
    client = AsyncAntiphon(config=config)
    await client.chat("sim/echo", "x")
    await client.close()
    await client.aclose()
    with pytest.raises(RuntimeError, match="closed"):
        await client.chat("sim/echo", "x")
    await AsyncAntiphon(config=config).close()  # never used


def test_a_forgotten_client_takes_its_thread_along(config: str) -> None:
    client = Antiphon(config=config)
    stream = client.stream(SLOW, "x")
    next(stream)
    del client
    gc.collect()
    assert _threads() == 1  # the stream still needs it
    next(stream)
    del stream
    gc.collect()
    assert _wait_until(lambda: _threads() == 0)


async def test_the_twin_works_inside_a_running_loop(config: str) -> None:
    with Antiphon(config=config) as client:
        assert client.chat("sim/echo", "in Jupyter").text == "in Jupyter"
        assert [event.text for event in client.stream("sim/echo", "word")][-1] == ""


def test_many_threads_share_one_client(client: Antiphon) -> None:
    def ask(number: int) -> tuple[str, str]:
        stream = client.stream("sim/echo", f"stream {number}")
        return client.chat("sim/echo", f"call {number}").text, "".join(event.text for event in stream)

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(ask, range(200)))
    assert answers == [(f"call {number}", f"stream {number}") for number in range(200)]


def test_first_calls_at_once_start_the_engine_once(config: str) -> None:
    async def run() -> None:
        async with AsyncAntiphon(config=config) as client:
            replies = await asyncio.gather(*(client.chat("sim/echo", str(number)) for number in range(50)))
            assert [reply.text for reply in replies] == [str(number) for number in range(50)]

    asyncio.run(run())


def test_a_second_loop_is_refused_with_the_way_out(config: str) -> None:
    client = AsyncAntiphon(config=config)

    async def use() -> None:
        await client.chat("sim/echo", "x")

    asyncio.run(use())
    with pytest.raises(RuntimeError, match=r"second event loop.*or use Antiphon"):
        asyncio.run(use())
    with pytest.raises(RuntimeError, match="second event loop"):
        asyncio.run(client.close())


def test_closing_cancels_calls_that_wait_in_other_threads(config: str) -> None:
    client = Antiphon(config=config)
    raised: list[BaseException] = []

    def wait() -> None:
        try:
            client.chat("sim/fault-silence", "x")
        except BaseException as error:  # noqa: BLE001
            raised.append(error)

    waiting = threading.Thread(target=wait)
    waiting.start()
    assert _wait_until(lambda: client._portal._tasks)
    client.close()
    waiting.join(PATIENCE)
    assert not waiting.is_alive()
    assert isinstance(raised[0], Cancelled)


async def test_a_cancelled_call_leaves_the_client_usable(async_client: AsyncAntiphon) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await async_client.chat("sim/fault-silence", "x")
    stream = async_client.stream(SLOW, "x")
    await anext(stream)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            async for _ in stream:
                pass
    with pytest.raises(StopAsyncIteration):
        await anext(stream)
    assert (await async_client.chat("sim/echo", "still here")).text == "still here"


def test_leaving_a_stream_closes_it(client: Antiphon) -> None:
    with client.stream(SLOW, "x") as stream:
        for _ in stream:
            break
    assert next(stream, None) is None
    stream.close()
    assert stream.call_id.startswith("call_")


def test_an_interrupt_during_a_call_cancels_it(client: Antiphon) -> None:
    client.chat("sim/echo", "x")
    main = threading.main_thread().ident
    assert main is not None
    for wait in (lambda: client.chat("sim/fault-silence", "x"), lambda: list(client.stream("sim/fault-silence", "x"))):
        timer = threading.Timer(0.2, signal.pthread_kill, (main, signal.SIGINT))
        timer.start()
        begun = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            wait()
        assert time.monotonic() - begun < allow(5)  # the call would wait for sixty seconds
        timer.join()
    assert _wait_until(lambda: not client._portal._tasks)
    assert client.chat("sim/echo", "still here").text == "still here"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Python warns of forking beside threads, rightly
def test_a_forked_child_begins_anew_and_the_parent_goes_on(client: Antiphon) -> None:
    stream = client.stream(SLOW, "x")
    next(stream)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            try:
                list(stream)  # what had come is read; more belongs to the parent
                said = "stream went on"
            except RuntimeError as error:
                said = str(error)
            os.write(writing, f"{client.chat('sim/echo', 'child').text}|{said}".encode())
            client.close()
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    assert said.startswith("child|this belongs to the parent process")
    assert next(stream).text is not None
    stream.close()
    assert client.chat("sim/echo", "parent").text == "parent"


LEAVING = {
    "sync, never closed": "c = Antiphon(); c.chat('sim/echo', 'x')",
    "sync, in a stream": "c = Antiphon(); s = c.stream('sim/lorem-500:tps=50', 'x'); next(s)",
    "sync, in a stream, kept in a module": "import sys; sys.keep = Antiphon().stream('sim/slow', 'x'); next(sys.keep)",
    "sync, unused": "c = Antiphon()",
    "sync, with a ledger": "c = Antiphon(data='ledger'); c.chat('sim/echo', 'x')",
    "async, closed": (
        "import asyncio\n"
        "async def main():\n"
        "    async with AsyncAntiphon() as c: await c.chat('sim/echo', 'x')\n"
        "asyncio.run(main())"
    ),
    "async, never closed": (
        "import asyncio\nc = AsyncAntiphon()\nasync def main(): await c.chat('sim/echo', 'x')\nasyncio.run(main())"
    ),
    "async, in a stream": (
        "import asyncio\n"
        "async def main():\n"
        "    s = AsyncAntiphon().stream('sim/lorem-500:tps=50', 'x'); await anext(s)\n"
        "asyncio.run(main())"
    ),
    "a call waits in a daemon thread": (
        "import threading, time\n"
        "c = Antiphon(); c.chat('sim/echo', 'x')\n"
        "threading.Thread(target=c.chat, args=('sim/fault-silence', 'x'), daemon=True).start(); time.sleep(0.2)"
    ),
}


@pytest.mark.parametrize("name", list(LEAVING))
def test_the_interpreter_leaves_at_once_and_without_a_word(name: str) -> None:
    code = f"from antiphon import Antiphon, AsyncAntiphon\n{LEAVING[name]}\nprint('done')"
    begun = time.monotonic()
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    noise = [] if "daemon" in name else run.stderr.splitlines()
    assert (run.returncode, run.stdout, noise) == (0, "done\n", [])
    assert time.monotonic() - begun < allow(7)
