"""Background responses, for targets that cannot make them: accepted at once and made while no caller waits.

Each is a call like any other, with the same deadlines, targets and record. The response is stored when it is accepted
and again when it has ended. In between, its row in the database names its owner, which is the process that makes it,
and a lease that the owner renews. Another process shows the response as running until the lease expires, and as failed
after that.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from msgspec import structs

from antiphon.clock import make_id
from antiphon.engine.call import Answer, AnswerStream, Call
from antiphon.engine.response_headers import join_header_values
from antiphon.engine.upstream import Write
from antiphon.errors import BadAnswer, CallError, LedgerError, Truncated, Unavailable
from antiphon.responses.history import ResolvedRequest, TurnKeeper
from antiphon.responses.store import LEASE_SECONDS, ResponseStore
from antiphon.transport import Headers
from antiphon.types import Model
from antiphon.wires.json_text import encode_json
from antiphon.wires.responses.background_draft import BackgroundDraft
from antiphon.wires.sse import SSESplitter
from antiphon.wires.translation.choice import choose_translator

LIMIT = 256
"""Background responses of one process at one time; further ones are refused."""
KEY_LIMIT = 64
"""Background responses of one key at one time."""
SIZE_LIMIT = 32 * 1024 * 1024
"""Bytes of the events of one response; they are in memory until it has ended."""
RENEW_SECONDS = LEASE_SECONDS / 5
_STOPPED = Unavailable("The gateway stopped before the response had ended.")
_BROKEN = CallError("The gateway failed while it made the response. The cause is in its log.")

log = logging.getLogger("antiphon.background")

Run = Callable[[Call], Awaitable[Answer]]


class BackgroundResponse:
    """One response that is being made."""

    def __init__(self, jobs: "BackgroundJobs", resolved: ResolvedRequest, keeper: TurnKeeper) -> None:
        call = resolved.call
        envelope = call.envelope
        self.key_id = call.caller.key_id
        self.draft = BackgroundDraft(envelope.document, envelope.model)
        self.is_over = False
        """Whether it has ended and is stored."""
        self.heartbeat = call.wire.heartbeat
        # The inner call is the same request, but waits for its answer and stores nothing: this object stores it.
        document = {**envelope.document, "store": False}
        del document["background"]
        envelope = structs.replace(envelope, document=document)
        self._call = structs.replace(call, envelope=envelope, body=encode_json(document), hooks=call.services.hooks)
        self._jobs = jobs
        self._model: Model = resolved.model
        self._keeper = keeper
        self._beat = call.services.settings.heartbeat
        self._shown = len(self.draft.frames)
        self.response = self.draft.response
        """The object as it may be shown: its end is shown once it is kept."""
        self._waiting: set[asyncio.Future[None]] = set()
        self._task: asyncio.Task[None] | None = None
        self._is_cancelled = False

    @property
    def is_running(self) -> bool:
        """Whether it is accepted and has not ended."""
        return self._task is not None and not self.draft.ended

    async def start(self) -> tuple[str, ...]:
        """Accept the response and return the dropped fields; raises if it cannot be accepted or stored."""
        call, target = self._call, self._model.targets[0]
        translator = choose_translator(call.wire, call.envelope, target)
        encoded_request = translator.encode_request(call.body, target)  # raises now if no target can serve the request
        problem = await self._keeper.keep_background(self.draft.encode(), again=False, owner=self._jobs.owner)
        if problem:
            raise Unavailable(f"The response cannot be stored, so it cannot be made in the background: {problem}.")
        self._task = asyncio.get_running_loop().create_task(self._make())
        return encoded_request.dropped

    async def cancel(self) -> None:
        """Cancel the response, and wait until that is stored; a response that has ended stays as it is."""
        self.request_cancel()
        await self.wait()

    def request_cancel(self) -> None:
        """Cancel the response without waiting for its end."""
        if not self.draft.ended:
            self._is_cancelled = True
            self.stop()

    def stop(self) -> None:
        """Break off the response, as at the end of the gateway."""
        if self._task is not None and not self.draft.ended:
            self._task.cancel()

    async def wait(self) -> None:
        """Wait until the response has ended and is stored."""
        if self._task is not None:
            await asyncio.wait((self._task,))

    def follow(self, after: int = -1) -> "Follower":
        """Return the events numbered above ``after``, including those still to come."""
        return Follower(self, self.draft.get_index_after(after))

    def list_frames(self, start: int) -> list[bytes]:
        """Return the frames from index ``start`` on that followers may see."""
        return self.draft.frames[start : self._shown]

    async def wait_for_frames(self) -> bool:
        """Wait for more frames or the end; return false if neither came within the heartbeat interval."""
        waiter = asyncio.get_running_loop().create_future()
        self._waiting.add(waiter)
        try:
            await asyncio.wait((waiter,), timeout=self._beat)
        finally:
            self._waiting.discard(waiter)
        return waiter.done()

    async def _make(self) -> None:
        try:
            answer = await self._jobs.run(self._call)
            if answer.stream is None:
                self.draft.take_whole(answer.body or b"")
            else:
                await self._follow_answer(answer.stream)
        except CallError as error:
            self.draft.fail(error)
        except asyncio.CancelledError:
            if self._is_cancelled:
                self.draft.cancel()
            else:
                self.draft.fail(_STOPPED)
        except Exception:
            log.exception("A background response could not be made")
            self.draft.fail(_BROKEN)
        await self._save()
        self.is_over = True
        self._show()
        self._jobs.remove(self)

    async def _follow_answer(self, stream: AnswerStream) -> None:
        splitter, draft = SSESplitter(), self.draft
        try:
            while data := await stream.next():
                for frame in splitter.feed(data):
                    draft.take(frame)
                if draft.size > SIZE_LIMIT:
                    raise BadAnswer(f"The events of the response are larger than {SIZE_LIMIT >> 20} MiB.")
                if not draft.ended:  # followers see the end once it is stored
                    self._show()
        finally:
            stream.close()
        if not draft.ended:
            raise Truncated("The response ended without a final event.")

    async def _save(self) -> None:
        draft, owner = self.draft, self._jobs.owner
        problem = await self._keeper.keep_background(draft.encode(), draft.cuts, draft.end, again=True, owner=owner)
        if problem:
            log.warning("The response %s could not be stored: %s", draft.id, problem)
            draft.mark_lost(f"The response could not be stored: {problem}.")
            await self._keeper.keep_background(draft.encode(), again=True, owner=owner)

    def _show(self) -> None:
        self._shown = len(self.draft.frames)
        self.response = self.draft.response
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_result(None)


class Follower:
    """The frames of a background response as they arrive; an ``AnswerStream``. Closing it does not end the response."""

    record = None

    def __init__(self, response: BackgroundResponse, start: int) -> None:
        self._response = response
        self._at = start

    async def next(self, write: Write | None = None) -> bytes:
        """Return the next frames, a heartbeat after silence, or ``b""`` at the end."""
        response = self._response
        while True:
            if frames := response.list_frames(self._at):
                self._at += len(frames)
                return b"".join(frames)
            if response.is_over:
                return b""
            if not await response.wait_for_frames():
                return response.heartbeat

    def close(self) -> None:
        """Stop following."""


class BackgroundJobs:
    """The background responses of this process, by id. Their leases are renewed while there are any."""

    def __init__(self, store: ResponseStore, run: Run) -> None:
        self.owner = make_id("owner")
        """The name of this process in the rows of its responses."""
        self.run = run
        self._store = store
        self._jobs: dict[str, BackgroundResponse] = {}
        self._renewing: asyncio.Task[None] | None = None

    def find(self, response_id: str, key_id: str) -> BackgroundResponse | None:
        """Return a response of a key if this process is making it."""
        response = self._jobs.get(response_id)
        return response if response is not None and response.key_id == key_id else None

    async def accept(self, resolved: ResolvedRequest, keeper: TurnKeeper) -> Answer:
        """Begin a response for a call; raises if there are too many or it cannot be stored."""
        call = resolved.call
        self._check_limits(call.caller.key_id)
        response = BackgroundResponse(self, resolved, keeper)
        name = response.draft.id
        self._jobs[name] = response
        try:
            dropped = await response.start()
        except BaseException:
            del self._jobs[name]
            raise
        if self._renewing is None:
            self._renewing = asyncio.get_running_loop().create_task(self._renew_leases())
        streams = call.envelope.stream
        kind = call.wire.stream_type if streams else "application/json"
        headers: Headers = [(b"content-type", kind.encode()), (call.wire.request_id_header, call.id.encode())]
        headers.append((b"x-antiphon-call-id", call.id.encode()))
        if dropped:
            headers.append((b"x-antiphon-dropped", join_header_values(dropped)))
        if streams:
            return Answer(200, headers, stream=response.follow())
        return Answer(200, headers, response.draft.encode())

    def remove(self, response: BackgroundResponse) -> None:
        """Forget a response that has ended and is stored."""
        del self._jobs[response.draft.id]

    async def drain(self, seconds: float) -> None:
        """Give the responses some seconds to end, then stop them and wait until they are stored."""
        responses = list(self._jobs.values())
        if responses and seconds > 0:
            await asyncio.wait([asyncio.ensure_future(each.wait()) for each in responses], timeout=seconds)
        for response in responses:
            response.stop()
        for response in responses:
            await response.wait()
        if self._renewing is not None:
            self._renewing.cancel()
            self._renewing = None

    def _check_limits(self, key_id: str) -> None:
        count = sum(response.key_id == key_id for response in self._jobs.values())
        if len(self._jobs) >= LIMIT or count >= KEY_LIMIT:
            raise Unavailable(
                f"Too many background responses are being made: the limit is {KEY_LIMIT} per key and {LIMIT} in all. "
                "Wait until some have ended, or cancel them.",
                status=429,
                code="too_many_background_responses",
                retry_after=5.0,
            )

    async def _renew_leases(self) -> None:
        """Renew the leases of this process, and stop the responses that it lost or that others asked to cancel.

        Ends when no response is being made.
        """
        while self._jobs:
            await asyncio.sleep(RENEW_SECONDS)
            running = [response for response in self._jobs.values() if response.is_running]
            try:
                owned = await asyncio.to_thread(self._store.renew_leases, self.owner)
            except LedgerError as problem:
                log.warning("The leases of background responses could not be renewed: %s", problem)
                continue
            for response in running:
                is_cancelled = owned.get(response.draft.id)
                if is_cancelled is None:  # the lease had expired and another process has shown it as failed
                    response.stop()
                elif is_cancelled:
                    response.request_cancel()
        self._renewing = None
