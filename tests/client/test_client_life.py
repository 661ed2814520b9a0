"""The life cycle of clients: loops, threads, forks, interrupts, leaving without closing, leaving the interpreter."""

import asyncio
import gc
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar

import pytest

from antiphon import Antiphon, AsyncAntiphon, Cancelled
from antiphon.client.loop_thread import IDLE_TIME
from processes import PATIENCE, allow

SLOW = "sim/lorem-200:tps=20"


def count_threads() -> int:
    return sum(thread.name == "antiphon" for thread in threading.enumerate())


def wait_until(condition: Callable[[], object]) -> bool:
    due = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > due:
            return False
        time.sleep(0.01)
    return True


async def get_thread() -> int:
    return threading.get_ident()


def find_runner(client: Antiphon) -> str:
    """Return the thread in which the client runs a coroutine now: ``here`` or ``elsewhere``."""
    return "here" if client._loop_thread.run(get_thread) == threading.get_ident() else "elsewhere"


@contextmanager
def interrupt_later(number: int = signal.SIGINT, times: int = 1) -> Iterator[None]:
    """Send the main thread a signal after 0.2 s, and again after the same time."""
    main = threading.main_thread().ident
    assert main is not None
    timers = [threading.Timer(0.2 * (1 + n), signal.pthread_kill, (main, number)) for n in range(times)]
    for timer in timers:
        timer.start()
    try:
        yield
    finally:
        for timer in timers:
            timer.join()


def test_closing_is_idempotent_and_ends_the_thread_and_later_calls_are_refused(config: str) -> None:
    client = Antiphon(config=config)
    client.chat("sim/echo", "x")
    assert count_threads() == 1
    client.close()
    client.close()
    assert count_threads() == 0
    for use in (lambda: client.chat("sim/echo", "x"), lambda: next(client.stream("sim/echo", "x")), client.models):
        with pytest.raises(RuntimeError, match="closed"):
            use()


async def test_closing_the_asynchronous_client_is_idempotent(config: str) -> None:
    client = AsyncAntiphon(config=config)
    await client.chat("sim/echo", "x")
    await client.close()
    await client.aclose()
    with pytest.raises(RuntimeError, match="closed"):
        await client.chat("sim/echo", "x")
    await AsyncAntiphon(config=config).close()  # never used


def test_a_collected_client_ends_its_thread(config: str) -> None:
    client = Antiphon(config=config)
    stream = client.stream(SLOW, "x")
    next(stream)
    del client
    gc.collect()
    assert count_threads() == 1  # the stream still needs it
    next(stream)
    del stream
    gc.collect()
    assert wait_until(lambda: count_threads() == 0)


# --- which thread runs the loop ---------------------------------------------------------------------------------------


def test_calls_one_after_the_other_run_in_the_calling_thread(client: Antiphon) -> None:
    assert [find_runner(client) for _ in range(3)] == ["here"] * 3
    assert client.chat("sim/echo", "x").text == "x"
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(find_runner, client).result() == "here"
    assert find_runner(client) == "here"


def test_the_background_thread_runs_an_idle_loop_and_gives_it_back(client: Antiphon) -> None:
    client.chat("sim/echo", "x")
    ran = threading.Event()
    client._loop_thread._loop.call_soon_threadsafe(ran.set)
    assert ran.wait(PATIENCE)
    assert client._loop_thread._runner == "thread"
    assert client.chat("sim/echo", "after a while").text == "after a while"
    assert wait_until(lambda: find_runner(client) == "here")


def test_the_background_thread_keeps_the_loop_once_two_threads_call_at_the_same_time(client: Antiphon) -> None:
    waiting = threading.Thread(target=lambda: client.chat("sim/lorem-3:tps=2", "x"))
    waiting.start()
    assert wait_until(lambda: client._loop_thread._runner == "caller")
    assert client.chat("sim/echo", "meanwhile").text == "meanwhile"
    waiting.join()
    assert [find_runner(client) for _ in range(3)] == ["elsewhere"] * 3


async def test_the_synchronous_client_works_inside_a_running_loop(config: str) -> None:
    with Antiphon(config=config) as client:
        assert client.chat("sim/echo", "in Jupyter").text == "in Jupyter"
        assert find_runner(client) == "elsewhere"
        assert [event.text for event in client.stream("sim/echo", "word")][-1] == ""


def test_a_synchronous_call_on_the_clients_own_loop_is_refused(client: Antiphon) -> None:
    async def call() -> None:
        client.chat("sim/echo", "x")

    with pytest.raises(RuntimeError, match="wait for itself"):
        client._loop_thread.run(call)
    assert client.chat("sim/echo", "still here").text == "still here"


def test_a_call_sees_the_context_of_its_caller_in_either_thread(client: Antiphon) -> None:
    variable: ContextVar[str] = ContextVar("variable", default="")
    variable.set("of the caller")

    async def read() -> tuple[str, int]:
        return variable.get(), threading.get_ident()

    assert client._loop_thread.run(read) == ("of the caller", threading.get_ident())
    assert wait_until(lambda: client._loop_thread._runner == "thread")
    value, thread = client._loop_thread.run(read)
    assert value == "of the caller"
    assert thread != threading.get_ident()


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


def test_a_second_loop_is_refused_and_the_error_names_the_alternative(config: str) -> None:
    client = AsyncAntiphon(config=config)

    async def use() -> None:
        await client.chat("sim/echo", "x")

    asyncio.run(use())
    with pytest.raises(RuntimeError, match=r"second event loop.*or use Antiphon"):
        asyncio.run(use())
    with pytest.raises(RuntimeError, match="second event loop"):
        asyncio.run(client.close())


# --- calls that end early ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("threads", [1, 2])
def test_closing_cancels_calls_that_wait_in_other_threads(config: str, threads: int) -> None:
    client = Antiphon(config=config)
    raised: list[BaseException] = []

    def wait() -> None:
        try:
            client.chat("sim/fault-silence", "x")
        except BaseException as error:  # noqa: BLE001
            raised.append(error)

    waiting = [threading.Thread(target=wait) for _ in range(threads)]
    for thread in waiting:
        thread.start()
    assert wait_until(lambda: len(client._loop_thread._tasks) == threads)
    client.close()
    for thread in waiting:
        thread.join(PATIENCE)
        assert not thread.is_alive()
    assert [type(error) for error in raised] == [Cancelled] * threads
    assert count_threads() == 0


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


@pytest.mark.parametrize("shared", [False, True])
def test_an_interrupt_during_a_call_cancels_it(client: Antiphon, shared: bool) -> None:
    client.chat("sim/echo", "x")
    client._loop_thread._is_shared = shared
    for wait in (lambda: client.chat("sim/fault-silence", "x"), lambda: list(client.stream("sim/fault-silence", "x"))):
        begun = time.monotonic()
        with interrupt_later(), pytest.raises(KeyboardInterrupt):
            wait()
        assert time.monotonic() - begun < allow(5)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert wait_until(lambda: not client._loop_thread._tasks)
    assert client.chat("sim/echo", "still here").text == "still here"


def test_a_second_interrupt_leaves_a_call_that_resists_to_the_background_thread(client: Antiphon) -> None:
    released, ended = threading.Event(), threading.Event()

    async def resist() -> None:
        try:
            await asyncio.sleep(PATIENCE)
        finally:
            while not released.is_set():
                await asyncio.sleep(0.01)
            ended.set()

    with interrupt_later(times=2), pytest.raises(KeyboardInterrupt):
        client._loop_thread.run(resist)
    assert client.chat("sim/echo", "still here").text == "still here"
    assert not ended.is_set()
    released.set()
    assert ended.wait(PATIENCE)


def test_an_error_of_the_programs_own_signal_handler_ends_the_call(client: Antiphon) -> None:
    class Alarm(Exception):
        """The error of the handler."""

    def raise_alarm(*_: object) -> None:
        raise Alarm

    previous = signal.signal(signal.SIGUSR1, raise_alarm)
    try:
        with interrupt_later(signal.SIGUSR1), pytest.raises(Alarm):
            client.chat("sim/fault-silence", "x")
    finally:
        signal.signal(signal.SIGUSR1, previous)
    assert wait_until(lambda: not client._loop_thread._tasks)
    assert client.chat("sim/echo", "still here").text == "still here"


# --- forks and exits --------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Python warns of a fork beside threads, which is its subject
@pytest.mark.parametrize("idle", [False, True])
def test_a_forked_child_begins_anew_and_the_parent_goes_on(client: Antiphon, idle: bool) -> None:
    stream = client.stream(SLOW, "x")
    next(stream)
    if idle:
        assert wait_until(lambda: client._loop_thread._runner == "thread")
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            try:
                list(stream)  # the child reads the events that have arrived; the others belong to the parent
                outcome = "stream went on"
            except RuntimeError as error:
                outcome = str(error)
            os.write(writing, f"{client.chat('sim/echo', 'child').text}|{outcome}".encode())
            client.close()
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        outcome = pipe.read()
    os.waitpid(child, 0)
    assert outcome.startswith("child|this belongs to the parent process")
    assert next(stream).text is not None
    stream.close()
    assert client.chat("sim/echo", "parent").text == "parent"


LEAVING = {
    "sync, never closed": "c = Antiphon(); c.chat('sim/echo', 'x')",
    "sync, never closed, idle": (f"import time\nc = Antiphon(); c.chat('sim/echo', 'x'); time.sleep({3 * IDLE_TIME})"),
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
    "the first call waits in a daemon thread": (
        "import threading, time\n"
        "c = Antiphon()\n"
        "threading.Thread(target=c.chat, args=('sim/fault-silence', 'x'), daemon=True).start(); time.sleep(0.5)"
    ),
}


@pytest.mark.parametrize("name", list(LEAVING))
def test_the_interpreter_leaves_at_once_and_without_output(name: str) -> None:
    code = f"from antiphon import Antiphon, AsyncAntiphon\n{LEAVING[name]}\nprint('done')"
    begun = time.monotonic()
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    noise = [] if "daemon" in name else run.stderr.splitlines()
    assert (run.returncode, run.stdout, noise) == (0, "done\n", [])
    assert time.monotonic() - begun < allow(5)  # the call that some of them leave would wait for a minute
