"""One try of a call that a target takes in several requests: all of them succeed, or the try has failed."""

import asyncio

from antiphon.clock import monotonic
from antiphon.engine.attempt import ANSWER_LIMIT, Attempt, refused
from antiphon.engine.deadline import Deadline
from antiphon.engine.restated import Restated
from antiphon.errors import BadAnswer
from antiphon.types import Outcome

TOGETHER = 8
"""Requests of one call that are under way at once."""
AT_ONCE = 64 * 1024
"""Bytes of answers that are read and written between two turns of the loop, about a millisecond's work."""


class AttemptInParts(Attempt):
    """See :class:`antiphon.engine.attempt.Attempt`; each answer moves the deadline on, up to the call's own."""

    __slots__ = ("_left",)

    async def _exchange(self, deadline: Deadline, due: float) -> None:
        way = self.bridge
        assert isinstance(way, Restated)
        self._left = ANSWER_LIMIT
        waiting = iter(enumerate(way.bodies))
        answers: dict[int, bytes] = {}

        async def work() -> None:
            for place, body in waiting:
                answers[place] = await self._one(body)
                deadline.due = min(due, asyncio.get_running_loop().time() + self.target.timeouts.first_output)

        parts = len(way.bodies)
        await _all([asyncio.ensure_future(work()) for _ in range(min(TOGETHER, parts))])
        whole = [answers[place] for place in range(parts)]
        if sum(map(len, whole)) > AT_ONCE:  # a thousand vectors are a second's work, for which nobody else should wait
            self.whole, self.body = await asyncio.to_thread(way.joined, whole)
        else:
            self.whole, self.body = way.joined(whole)
        self._book.first_output = monotonic()
        self.note(Outcome.SUCCESS, 200, "")

    async def _one(self, body: bytes) -> bytes:
        target = self.target
        request = self._request_of(body)
        if target.signing is not None:
            request = await self._run.signers.signed(target, request)
        response = await self._run.transport(target.origin.scheme).send(request, target.timeouts.connect)
        try:
            if response.status != 200:
                raise await refused(response, self.bridge)
            answer = await response.read(self._left)
        finally:
            response.close()
        self._left -= len(answer)
        if self._left <= 0:
            raise BadAnswer(f"The provider's answers are larger than {ANSWER_LIMIT} bytes together.")
        return answer


async def _all(tasks: list[asyncio.Future[None]]) -> None:
    """Wait for all; the first failure, or being cancelled, ends the others too, and waits until they have ended."""
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
