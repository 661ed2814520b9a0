"""The cache of one credential, with sources that hang, return nonsense, or reveal secrets in their errors."""

import asyncio
import threading
import time

import pytest

from antiphon.credentials import Credential, CredentialCache
from antiphon.credentials.cache import RefreshPolicy
from antiphon.credentials.credential import describe_error
from antiphon.errors import NoCredential
from antiphon.types import Identity, Secret

IDENTITY = Identity("google", {}, advice="Log in.")


def make_token(value: str, seconds: float | None = 3600) -> Credential:
    return Credential({"authorization": Secret(value)}, seconds)


def make_cache(fetch, policy=None):
    return CredentialCache("vertex", IDENTITY, fetch, lambda secrets: secrets["authorization"].reveal(), policy)


async def test_only_the_first_call_waits_for_a_source_that_hangs(caplog):
    release, fetches = threading.Event(), []

    def fetch():
        fetches.append(1)
        release.wait(60)
        return make_token("late")

    cache = make_cache(fetch, RefreshPolicy(patience=1.0))
    with pytest.raises(NoCredential, match=r"did not arrive within 1 s"):
        await cache.get()
    started = time.monotonic()
    with pytest.raises(NoCredential):
        await cache.get()
    assert time.monotonic() - started < 0.9, "a later call does not wait again"
    assert caplog.text.count("The fetch goes on") == 1
    release.set()
    while cache.find() is None:
        await asyncio.sleep(0.01)
    assert await cache.get() == "late"
    assert len(fetches) == 1


async def test_a_source_that_never_answers_is_asked_again_after_five_minutes(clock):
    release, fetches = threading.Event(), []

    def fetch():
        fetches.append(1)
        if len(fetches) == 1:
            release.wait(60)
            raise OSError("gone")
        return make_token("second")

    cache = make_cache(fetch, RefreshPolicy(patience=0.1))
    with pytest.raises(NoCredential):
        await cache.get()
    clock.ahead += 290
    with pytest.raises(NoCredential):
        await cache.get()
    assert len(fetches) == 1
    clock.ahead += 11
    assert await cache.get() == "second"
    release.set()
    await asyncio.sleep(0.05)
    assert await cache.get() == "second"


async def test_secrets_that_no_signer_can_use_are_no_credential():
    with pytest.raises(NoCredential, match="KeyError"):
        await make_cache(lambda: Credential({"access_key": Secret("a")}, 10)).get()


@pytest.mark.parametrize(
    ("credential", "problem"),
    [
        (make_token("x", 0), "has already expired"),
        (make_token("x", -5), "check this machine's clock"),
        (make_token("x\r\nhost: evil"), "cannot be sent in a header"),
        (make_token(""), "cannot be sent in a header"),
        (Credential({}, 10), "cannot be sent in a header"),
    ],
)
async def test_an_unusable_credential_is_an_error(credential, problem):
    with pytest.raises(NoCredential) as caught:
        await make_cache(lambda: credential).get()
    assert problem in caught.value.message
    assert "evil" not in caught.value.message
    assert caught.value.message.endswith("Nothing was sent. Log in.")


async def test_a_short_lived_credential_is_renewed_in_its_last_fifth(clock):
    numbers = iter(range(9))
    cache = make_cache(lambda: make_token(f"token {next(numbers)}", 100))
    assert await cache.get() == "token 0"
    clock.ahead += 79
    assert cache.find() == "token 0"
    await asyncio.sleep(0.05)
    assert cache.find() == "token 0"
    clock.ahead += 2
    assert cache.find() == "token 0"
    while cache.find() == "token 0":
        await asyncio.sleep(0.01)
    assert cache.find() == "token 1"


async def test_a_credential_without_expiry_is_read_again_after_an_hour(clock):
    numbers = iter(range(9))
    cache = make_cache(lambda: make_token(f"token {next(numbers)}", None))
    assert await cache.get() == "token 0"
    clock.ahead += 3300
    assert await cache.get() == "token 0"
    clock.ahead += 301
    assert await cache.get() == "token 1"


async def test_pauses_grow_up_to_a_minute(clock):
    fetches = []

    def fetch():
        fetches.append(1)
        raise OSError("no route")

    cache = make_cache(fetch)
    for pause in (5, 10, 20, 40, 60, 60):
        with pytest.raises(NoCredential) as caught:
            await cache.get()
        assert caught.value.retry_after == pytest.approx(pause, abs=1)
        clock.ahead += pause - 1
        with pytest.raises(NoCredential):
            await cache.get()
        clock.ahead += 2
    assert len(fetches) == 6


def test_the_event_loop_ends_before_its_credential_arrives():
    release, done = threading.Event(), threading.Event()

    def fetch():
        release.wait(60)
        done.set()
        return make_token("x")

    async def give_up():
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(make_cache(fetch).get(), 0.05)

    asyncio.run(give_up())
    release.set()
    assert done.wait(60)
    for thread in threading.enumerate():
        if thread.name == "antiphon-identity":
            thread.join(60)


def test_an_error_is_described_on_one_line_without_possible_secrets():
    assertion = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJnYXRld2F5QG15LXByb2plY3QifQ.c2lnbmF0dXJl"
    error = ValueError(f"line one\nsaw {assertion} and short-secret, see https://x.example/help")
    description = describe_error(error, [Secret("short-secret")])
    assert description == "ValueError: line one saw … and …, see https://x.example/help"
    assert describe_error(ValueError()) == "ValueError"
    assert len(describe_error(ValueError("word " * 1000))) < 350
