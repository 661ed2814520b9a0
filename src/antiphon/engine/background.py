"""Responses in the background, for targets that have none: accepted at once, answered without their caller.

Each is a call like any other, with the same deadlines, targets and record; only that nobody waits for it. What it came
to is kept as it stands when it is accepted and when it has ended, and told to whoever asks meanwhile. A gateway that is
stopped or dies ends what it was doing: that is told as failed.
"""

import asyncio
import logging
from typing import TYPE_CHECKING

from msgspec import structs

from antiphon.engine import pipeline
from antiphon.engine.bridge import bridge
from antiphon.engine.call import Answer, Call, Streamed
from antiphon.engine.heading import listed
from antiphon.errors import BadAnswer, CallError, Truncated, Unavailable
from antiphon.transport import Headers
from antiphon.types import Model
from antiphon.wires import Envelope, Wire
from antiphon.wires.json_text import encode_json
from antiphon.wires.responses.background_draft import BackgroundDraft
from antiphon.wires.sse import SSESplitter

if TYPE_CHECKING:
    from antiphon.engine.conversation import Conversation
    from antiphon.runtime import Runtime

LIMIT = 256
"""Responses in the background at one time; one more is refused."""
KEY_LIMIT = 64
"""Those of one key."""
SIZE_LIMIT = 32 * 1024 * 1024
"""Bytes of the events of one, which are held until it has ended."""
_STOPPED = Unavailable("The gateway stopped before the response had ended.")
_BROKEN = CallError("The gateway failed while it made the response. The cause is in its log.")

log = logging.getLogger("antiphon.background")


class Work:
    """One response that is being made."""

    def __init__(
        self, run: "Runtime", call: Call, wire: Wire, envelope: Envelope, model: Model, conversation: "Conversation"
    ) -> None:
        self.key_id = call.caller.key_id
        self.draft = BackgroundDraft(envelope.document, envelope.model)
        self.over = False
        """It has ended, and is kept."""
        # Once more as a request that waits for its answer, which is kept by whoever asks, not by whoever answers.
        document = {**envelope.document, "store": False}
        del document["background"]
        self._run = run
        self._call = call
        self._wire = wire
        self._envelope = structs.replace(envelope, document=document)
        self._model = model
        self._conversation = conversation
        self._beat = run.catalog.settings.heartbeat
        self._shown = len(self.draft.frames)
        self._waiting: set[asyncio.Future[None]] = set()
        self._task: asyncio.Task[None] | None = None
        self._cancelled = False
        call.body = encode_json(document)

    async def begin(self) -> tuple[str, ...]:
        """Accept the response and return what of the request is dropped; raises where it cannot be taken or kept."""
        target = self._model.targets[0]
        way = bridge(self._wire, self._envelope, target)
        way.encode(self._call.body, target)  # what no target can take is said now
        works, name = self._run.works, self.draft.id
        works[name] = self
        try:
            lost = await self._conversation.stand(self.draft.encode(), again=False)
            if lost:
                raise Unavailable(f"The response cannot be kept, and so not be made in the background: {lost}.")
        except BaseException:
            del works[name]
            raise
        self._task = asyncio.get_running_loop().create_task(self._make())
        return way.dropped

    async def cancel(self) -> None:
        """End the response as its caller wants it, and wait until it is kept so; one that has ended stays as it is."""
        if not self.draft.ended:
            self._cancelled = True
            self.stop()
        await self.ended()

    def stop(self) -> None:
        """Have the response end now."""
        if self._task is not None and not self.draft.ended:
            self._task.cancel()

    async def ended(self) -> None:
        """Wait until the response has ended and is kept."""
        if self._task is not None:
            await asyncio.wait((self._task,))

    def follow(self, after: int = -1) -> "Follower":
        """Return the events that are numbered above ``after``, those to come too."""
        return Follower(self, self.draft.get_index_after(after))

    def frames(self, start: int) -> list[bytes]:
        """Return the frames from an index on that may be shown."""
        return self.draft.frames[start : self._shown]

    async def news(self) -> bool:
        """Wait for more frames or the end; false where there was nothing for as long as a heartbeat takes."""
        waiter = asyncio.get_running_loop().create_future()
        self._waiting.add(waiter)
        try:
            await asyncio.wait((waiter,), timeout=self._beat)
        finally:
            self._waiting.discard(waiter)
        return waiter.done()

    @property
    def heartbeat(self) -> bytes:
        return self._wire.heartbeat

    async def _make(self) -> None:
        try:
            answer = await pipeline.ask(self._run, self._call)
            if answer.stream is None:
                self.draft.take_whole(answer.body or b"")
            else:
                await self._follow(answer.stream)
        except CallError as error:
            self.draft.fail(error)
        except asyncio.CancelledError:
            if self._cancelled:
                self.draft.cancel()
            else:
                self.draft.fail(_STOPPED)
        except Exception:
            log.exception("A response in the background could not be made")
            self.draft.fail(_BROKEN)
        await self._keep()
        self.over = True
        self._show()
        del self._run.works[self.draft.id]

    async def _follow(self, stream: Streamed) -> None:
        splitter, draft = SSESplitter(), self.draft
        try:
            while data := await stream.next():
                for frame in splitter.feed(data):
                    draft.take(frame)
                if draft.size > SIZE_LIMIT:
                    raise BadAnswer(f"The events of the response are larger than {SIZE_LIMIT >> 20} MiB.")
                if not draft.ended:  # the end is shown once it is kept
                    self._show()
        finally:
            stream.close()
        if not draft.ended:
            raise Truncated("The response ended without saying so.")

    async def _keep(self) -> None:
        draft = self.draft
        lost = await self._conversation.stand(draft.encode(), draft.cuts, draft.end, again=True)
        if lost:
            log.warning("The response %s could not be kept: %s", draft.id, lost)
            draft.mark_lost(f"The response could not be kept: {lost}.")
            await self._conversation.stand(draft.encode(), again=True)

    def _show(self) -> None:
        self._shown = len(self.draft.frames)
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_result(None)


class Follower:
    """Frames of a response in the background, as they come; has the shape of a stream. Leaving it ends nothing."""

    record = None

    def __init__(self, work: Work, start: int) -> None:
        self._work = work
        self._at = start

    async def next(self) -> bytes:
        """Return the next frames, a comment after silence, or ``b""`` at the end."""
        work = self._work
        while True:
            if frames := work.frames(self._at):
                self._at += len(frames)
                return b"".join(frames)
            if work.over:
                return b""
            if not await work.news():
                return work.heartbeat

    def close(self) -> None:
        """Stop following."""


async def accepted(
    run: "Runtime", call: Call, wire: Wire, envelope: Envelope, model: Model, conversation: "Conversation"
) -> Answer:
    """Answer a call with the response that is begun for it; raises where there are too many, or it cannot be kept."""
    _make_room(run, call.caller.key_id)
    work = Work(run, call, wire, envelope, model, conversation)
    dropped = await work.begin()
    streams = envelope.stream
    kind = wire.stream_type if streams else "application/json"
    headers: Headers = [(b"content-type", kind.encode()), (wire.request_id, call.id.encode())]
    headers.append((b"x-antiphon-call-id", call.id.encode()))
    if dropped:
        headers.append((b"x-antiphon-dropped", listed(dropped)))
    if streams:
        return Answer(200, headers, stream=work.follow())
    return Answer(200, headers, work.draft.encode())


def _make_room(run: "Runtime", key_id: str) -> None:
    own = sum(work.key_id == key_id for work in run.works.values())
    if len(run.works) >= LIMIT or own >= KEY_LIMIT:
        raise Unavailable(
            f"There are too many responses in the background: at most {KEY_LIMIT} of one key and {LIMIT} in all. Wait "
            "for some to end, or cancel them.",
            status=429,
            code="too_many_background_responses",
            retry_after=5.0,
        )


async def rest(run: "Runtime", seconds: float) -> None:
    """Let what is being made end by itself for some seconds, then stop it and wait until it is kept so."""
    works = list(run.works.values())
    if works and seconds > 0:
        waits = [asyncio.ensure_future(work.ended()) for work in works]
        await asyncio.wait(waits, timeout=seconds)
    for work in works:
        work.stop()
    for work in works:
        await work.ended()
