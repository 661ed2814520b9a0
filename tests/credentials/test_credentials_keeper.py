"""One credential kept fresh: what it does with sources that hang, lie, or say too much."""

import asyncio
import threading
import time

import pytest

from antiphon.credentials import Fetched, Keeper
from antiphon.credentials.fetched import reason
from antiphon.credentials.keeper import Pace
from antiphon.errors import NoCredential
from antiphon.types import Identity, Secret

WHO = Identity("google", {}, advice="Log in.")


def token(value: str, seconds: float | None = 3600) -> Fetched:
    return Fetched({"authorization": Secret(value)}, seconds)


def keeper(fetch, pace=None):
    return Keeper("vertex", WHO, fetch, lambda secrets: secrets["authorization"].reveal(), pace)


async def test_a_source_that_hangs_is_waited_for_once_and_used_when_it_comes(caplog):
    go, asked = threading.Event(), []

    def fetch():
        asked.append(1)
        go.wait(10)
        return token("late")

    kept = keeper(fetch, Pace(patience=0.2))
    with pytest.raises(NoCredential, match=r"did not come within 0\.2 s"):
        await kept.get()
    started = time.monotonic()
    with pytest.raises(NoCredential):
        await kept.get()
    assert time.monotonic() - started < 0.15, "whoever comes later does not wait again"
    assert caplog.text.count("still waited for") == 1
    go.set()
    while kept.fresh() is None:
        await asyncio.sleep(0.01)
    assert await kept.get() == "late"
    assert len(asked) == 1


async def test_a_source_that_never_answers_is_asked_once_more_after_a_while(clock):
    go, asked = threading.Event(), []

    def fetch():
        asked.append(1)
        if len(asked) == 1:
            go.wait(10)
            raise OSError("gone")
        return token("second")

    kept = keeper(fetch, Pace(patience=0.1))
    with pytest.raises(NoCredential):
        await kept.get()
    clock.ahead += 290
    with pytest.raises(NoCredential):
        await kept.get()
    assert len(asked) == 1
    clock.ahead += 11
    assert await kept.get() == "second"
    go.set()
    await asyncio.sleep(0.05)
    assert await kept.get() == "second"


async def test_what_no_signer_can_be_made_of_is_no_credential():
    with pytest.raises(NoCredential, match="KeyError"):
        await keeper(lambda: Fetched({"access_key": Secret("a")}, 10)).get()


@pytest.mark.parametrize(
    ("fetched", "problem"),
    [
        (token("x", 0), "has ended already"),
        (token("x", -5), "compare this machine's clock"),
        (token("x\r\nhost: evil"), "no header can carry"),
        (token(""), "no header can carry"),
        (Fetched({}, 10), "no header can carry"),
    ],
)
async def test_what_cannot_be_used_is_no_credential(fetched, problem):
    with pytest.raises(NoCredential) as caught:
        await keeper(lambda: fetched).get()
    assert problem in caught.value.message
    assert "evil" not in caught.value.message
    assert caught.value.message.endswith("Nothing was sent. Log in.")


async def test_a_short_life_is_renewed_in_its_last_fifth(clock):
    given = iter(range(9))
    kept = keeper(lambda: token(f"token {next(given)}", 100))
    assert await kept.get() == "token 0"
    clock.ahead += 79
    assert kept.fresh() == "token 0"
    await asyncio.sleep(0.05)
    assert kept.fresh() == "token 0"
    clock.ahead += 2
    assert kept.fresh() == "token 0"
    while kept.fresh() == "token 0":
        await asyncio.sleep(0.01)
    assert kept.fresh() == "token 1"


async def test_what_has_no_end_is_read_again_after_an_hour(clock):
    given = iter(range(9))
    kept = keeper(lambda: token(f"token {next(given)}", None))
    assert await kept.get() == "token 0"
    clock.ahead += 3300
    assert await kept.get() == "token 0"
    clock.ahead += 301
    assert await kept.get() == "token 1"


async def test_pauses_grow_up_to_a_minute(clock):
    asked = []

    def fetch():
        asked.append(1)
        raise OSError("no route")

    kept = keeper(fetch)
    for pause in (5, 10, 20, 40, 60, 60):
        with pytest.raises(NoCredential) as caught:
            await kept.get()
        assert caught.value.retry_after == pytest.approx(pause, abs=1)
        clock.ahead += pause - 1
        with pytest.raises(NoCredential):
            await kept.get()
        clock.ahead += 2
    assert len(asked) == 6


def test_a_loop_that_ends_before_its_credential_comes():
    go, done = threading.Event(), threading.Event()

    def fetch():
        go.wait(10)
        done.set()
        return token("x")

    async def leave():
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(keeper(fetch).get(), 0.05)

    asyncio.run(leave())
    go.set()
    assert done.wait(5)
    for thread in threading.enumerate():
        if thread.name == "antiphon-identity":
            thread.join(5)


def test_an_error_is_told_on_one_line_without_what_may_be_a_secret():
    assertion = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJnYXRld2F5QG15LXByb2plY3QifQ.c2lnbmF0dXJl"
    error = ValueError(f"line one\nsaw {assertion} and short-secret, see https://x.example/help")
    said = reason(error, [Secret("short-secret")])
    assert said == "ValueError: line one saw … and …, see https://x.example/help"
    assert reason(ValueError()) == "ValueError"
    assert len(reason(ValueError("word " * 1000))) < 350
