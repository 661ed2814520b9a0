"""One credential, kept fresh: fetched by the first call that needs it, renewed behind later ones before it ends."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from threading import Thread
from typing import Generic, TypeVar

import msgspec

from antiphon.clock import monotonic
from antiphon.credentials.fetched import Fetched, reason, unusable
from antiphon.credentials.quiet import THREAD
from antiphon.errors import NoCredential
from antiphon.types import Identity, Secret

Made = TypeVar("Made")

logger = logging.getLogger("antiphon.credentials")


class Pace(msgspec.Struct, frozen=True):
    """When things are done, in seconds.

    ``ahead`` of its end a credential is renewed, or after four fifths of a short life; Google's metadata server hands
    out a new one only in the last five minutes. One without an end is read again after ``reread``. A call waits for a
    credential up to ``patience``; a source that says nothing for ``lost`` is asked once more. After a failure it has
    peace for ``pause``, which doubles up to ``longest``. What a provider refuses is fetched anew, but not again within
    ``peace``: it may refuse whoever we are.
    """

    ahead: float = 225.0
    reread: float = 3600.0
    patience: float = 15.0
    lost: float = 300.0
    pause: float = 5.0
    longest: float = 60.0
    peace: float = 60.0


class Keeper(Generic[Made]):
    """Keeps what ``make`` makes of the secrets that ``fetch`` gives. Use from one event loop.

    ``provider`` and ``identity`` say whose credential it is; only errors and log lines need them.
    """

    def __init__(
        self,
        provider: str,
        identity: Identity,
        fetch: Callable[[], Fetched],
        make: Callable[[Mapping[str, Secret]], Made],
        pace: Pace | None = None,
    ) -> None:
        self._provider = provider
        self._identity = identity
        self._fetch = fetch
        self._make = make
        self._pace = pace or Pace()
        self._made: Made | None = None
        self._renew_at = 0.0
        self._ends = 0.0
        self._flight: asyncio.Future[None] | None = None
        self._began = 0.0
        self._problem = ""
        self._failures = 0
        self._quiet_until = 0.0
        self._dropped = float("-inf")

    def fresh(self) -> Made | None:
        """Return what is held while it is valid, else ``None``; begins to renew it in the background near its end."""
        now = monotonic()
        if now < self._renew_at:
            return self._made
        if now >= self._ends:
            return None
        if self._idle(now) and now >= self._quiet_until:
            self._begin(now)
        return self._made

    async def get(self) -> Made:
        """Return what is held, or wait for it, together with everybody else who does.

        Raises :class:`~antiphon.errors.NoCredential` where there is none, at once where that is known already.
        """
        made = self.fresh()
        if made is not None:
            return made
        now = monotonic()
        if self._idle(now) and now < self._quiet_until:
            raise self._unavailable()
        flight = self._begin(now) if self._flight is None or self._idle(now) else self._flight
        await asyncio.wait((flight,), timeout=max(0.0, self._began + self._pace.patience - now))
        if not flight.done():
            self._hangs()
        made = self.fresh()
        if made is None:
            raise self._unavailable()
        return made

    def drop(self) -> None:
        """Forget what is held, because the provider refused it; the next call waits for a new one."""
        now = monotonic()
        if now - self._dropped < self._pace.peace:
            return
        self._dropped = now
        self._made = None
        self._renew_at = self._ends = 0.0
        logger.info("%s was refused and is fetched anew", self._whose)

    @property
    def _whose(self) -> str:
        return f"The credential for {self._provider!r} (source `{self._identity.source}`)"

    def _idle(self, now: float) -> bool:
        return self._flight is None or now - self._began > self._pace.lost

    def _begin(self, now: float) -> asyncio.Future[None]:
        """Fetch in a thread, one at a time: libraries block, and where one hangs it must not hold the exit up."""
        loop = asyncio.get_running_loop()
        flight: asyncio.Future[None] = loop.create_future()
        self._flight, self._began = flight, now
        Thread(target=self._run, args=(loop,), name=THREAD, daemon=True).start()
        return flight

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        outcome: tuple[Made, float | None] | str
        try:
            fetched = self._fetch()
            outcome = unusable(fetched) or (self._make(fetched.secrets), fetched.seconds)
        except Exception as error:  # noqa: BLE001 (whatever a maker's library raises means that there is none)
            outcome = f"gave none ({reason(error, self._identity.secrets.values())})"
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(self._landed, outcome)

    def _landed(self, outcome: tuple[Made, float | None] | str) -> None:
        flight, self._flight = self._flight, None
        if isinstance(outcome, str):
            self._failed(outcome)
        else:
            self._hold(*outcome)
        if flight is not None and not flight.done():
            flight.set_result(None)

    def _hold(self, made: Made, seconds: float | None) -> None:
        now, pace = monotonic(), self._pace
        lifetime = pace.reread if seconds is None else seconds
        self._made = made
        self._ends = now + lifetime
        self._renew_at = self._ends - min(pace.ahead, lifetime / 5)
        self._failures, self._quiet_until = 0, 0.0
        logger.info("%s is there and holds for %d s", self._whose, lifetime)

    def _failed(self, problem: str) -> None:
        pause = min(self._pace.longest, self._pace.pause * 2**self._failures)
        self._failures = min(self._failures + 1, 10)
        self._quiet_until = monotonic() + pause
        why = f"its source `{self._identity.source}` {problem}."
        self._problem = (
            f"There is no credential for {self._provider!r}: {why} Nothing was sent. {self._identity.advice}"
        )
        if (left := self._ends - monotonic()) > 0:
            why = f"The credential for {self._provider!r}, good for {left:.0f} s, was not renewed: {why}"
        else:
            why = self._problem
        logger.warning("%s Asked again after %g s.", why, pause)

    def _hangs(self) -> None:
        problem = f"{self._whose} did not come within {self._pace.patience:g} s. Nothing was sent."
        if problem != self._problem:
            self._problem = problem
            logger.warning("%s It is still waited for.", problem)

    def _unavailable(self) -> NoCredential:
        wait = max(self._quiet_until - monotonic(), 1.0)
        return NoCredential(self._problem, retry_after=wait)
