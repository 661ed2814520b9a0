"""The cache of one credential: the first call that needs it fetches it, later calls renew it before it expires."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from threading import Thread
from typing import Generic, TypeVar

import msgspec

from antiphon.clock import monotonic
from antiphon.credentials.credential import Credential, describe_defect, describe_error
from antiphon.credentials.log_filter import THREAD_NAME
from antiphon.errors import NoCredential
from antiphon.types import Identity, Secret

Value = TypeVar("Value")

logger = logging.getLogger("antiphon.credentials")


class RefreshPolicy(msgspec.Struct, frozen=True):
    """When a credential is fetched, in seconds."""

    renew_before: float = 225.0
    """How long before its expiry a credential is renewed, at most a fifth of its lifetime.

    Google's metadata server hands out a new one only in the last five minutes.
    """
    reread_after: float = 3600.0
    """After which a credential without an expiry is read again."""
    patience: float = 15.0
    """How long a call waits for a credential."""
    abandon_after: float = 300.0
    """After which a source that does not answer is asked again."""
    first_pause: float = 5.0
    """The pause after the first failure; it doubles with each further one up to ``longest_pause``."""
    longest_pause: float = 60.0
    rejection_interval: float = 60.0
    """How long a rejection does not lead to another fetch: the provider may reject the identity itself."""


class CredentialCache(Generic[Value]):
    """Caches the value that ``make`` builds from the secrets that ``fetch`` returns. Use from one event loop.

    ``provider`` and ``identity`` say whose credential it is; only errors and log lines need them.
    """

    def __init__(
        self,
        provider: str,
        identity: Identity,
        fetch: Callable[[], Credential],
        make: Callable[[Mapping[str, Secret]], Value],
        policy: RefreshPolicy | None = None,
    ) -> None:
        self._provider = provider
        self._identity = identity
        self._fetch = fetch
        self._make = make
        self._policy = policy or RefreshPolicy()
        self._value: Value | None = None
        self._renew_at = 0.0
        self._expires_at = 0.0
        self._pending: asyncio.Future[None] | None = None
        self._started_at = 0.0
        self._problem = ""
        self._failures = 0
        self._retry_at = 0.0
        self._dropped_at = float("-inf")

    def find(self) -> Value | None:
        """Return the value while it is valid, else ``None``; starts a background renewal shortly before it expires."""
        now = monotonic()
        if now < self._renew_at:
            return self._value
        if now >= self._expires_at:
            return None
        if self._may_start(now) and now >= self._retry_at:
            _ = self._start_fetch(now)
        return self._value

    async def get(self) -> Value:
        """Return the value; without a valid one, wait for the fetch that all waiting calls share.

        Raises :class:`~antiphon.errors.NoCredential` if there is none, at once if the last fetch has just failed.
        """
        value = self.find()
        if value is not None:
            return value
        now = monotonic()
        if self._may_start(now) and now < self._retry_at:
            raise self._make_error()
        pending = self._start_fetch(now) if self._pending is None or self._may_start(now) else self._pending
        await asyncio.wait((pending,), timeout=max(0.0, self._started_at + self._policy.patience - now))
        if not pending.done():
            self._on_timeout()
        value = self.find()
        if value is None:
            raise self._make_error()
        return value

    def drop(self) -> None:
        """Forget the value because the provider rejected it; the next call waits for a new one."""
        now = monotonic()
        if now - self._dropped_at < self._policy.rejection_interval:
            return
        self._dropped_at = now
        self._value = None
        self._renew_at = self._expires_at = 0.0
        logger.info("%s was rejected; the next call fetches a new one", self._label)

    @property
    def _label(self) -> str:
        return f"The credential for {self._provider!r} (source `{self._identity.source}`)"

    def _may_start(self, now: float) -> bool:
        return self._pending is None or now - self._started_at > self._policy.abandon_after

    def _start_fetch(self, now: float) -> asyncio.Future[None]:
        """Fetch in a daemon thread, one at a time: the libraries block, and a hanging one must not delay the exit."""
        loop = asyncio.get_running_loop()
        pending: asyncio.Future[None] = loop.create_future()
        self._pending, self._started_at = pending, now
        Thread(target=self._run_fetch, args=(loop,), name=THREAD_NAME, daemon=True).start()
        return pending

    def _run_fetch(self, loop: asyncio.AbstractEventLoop) -> None:
        outcome: tuple[Value, float | None] | str
        try:
            credential = self._fetch()
            outcome = describe_defect(credential) or (self._make(credential.secrets), credential.seconds)
        except Exception as error:  # noqa: BLE001 (whatever a vendor's library raises means that there is none)
            outcome = f"returned none ({describe_error(error, self._identity.secrets.values())})"
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(self._on_fetched, outcome)

    def _on_fetched(self, outcome: tuple[Value, float | None] | str) -> None:
        pending, self._pending = self._pending, None
        if isinstance(outcome, str):
            self._on_failure(outcome)
        else:
            self._store(*outcome)
        if pending is not None and not pending.done():
            pending.set_result(None)

    def _store(self, value: Value, seconds: float | None) -> None:
        now, policy = monotonic(), self._policy
        lifetime = policy.reread_after if seconds is None else seconds
        self._value = value
        self._expires_at = now + lifetime
        self._renew_at = self._expires_at - min(policy.renew_before, lifetime / 5)
        self._failures, self._retry_at = 0, 0.0
        logger.info("%s was fetched and is valid for %d s", self._label, lifetime)

    def _on_failure(self, problem: str) -> None:
        pause = min(self._policy.longest_pause, self._policy.first_pause * 2**self._failures)
        self._failures = min(self._failures + 1, 10)
        self._retry_at = monotonic() + pause
        reason = f"its source `{self._identity.source}` {problem}."
        self._problem = (
            f"There is no credential for {self._provider!r}: {reason} Nothing was sent. {self._identity.advice}"
        )
        if (left := self._expires_at - monotonic()) > 0:
            message = (
                f"The credential for {self._provider!r}, valid for another {left:.0f} s, was not renewed: {reason}"
            )
        else:
            message = self._problem
        logger.warning("%s The source is asked again after %g s.", message, pause)

    def _on_timeout(self) -> None:
        problem = f"{self._label} did not arrive within {self._policy.patience:g} s. Nothing was sent."
        if problem != self._problem:
            self._problem = problem
            logger.warning("%s The fetch goes on.", problem)

    def _make_error(self) -> NoCredential:
        wait = max(self._retry_at - monotonic(), 1.0)
        return NoCredential(self._problem, retry_after=wait)
