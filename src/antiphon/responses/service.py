"""The responses of one runtime, for the rest of the gateway: continue, make, show, cancel and delete them."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from msgspec import structs

from antiphon.engine import pipeline
from antiphon.engine.call import Answer, AnswerStream, Call
from antiphon.engine.hooks import Hook, compile_hooks, join_chains
from antiphon.engine.services import Services
from antiphon.engine.upstream import Write
from antiphon.errors import LedgerError, NotFound, Unavailable
from antiphon.responses.background import BackgroundJobs, BackgroundResponse
from antiphon.responses.history import resolve_history
from antiphon.responses.retrieval import Retrieval, ask_provider
from antiphon.responses.store import ResponseStore
from antiphon.types import Caller, Model
from antiphon.wires import get_wire
from antiphon.wires.json_text import encode_json
from antiphon.wires.responses.background_draft import mark_abandoned
from antiphon.wires.responses.history import History, ProviderStored, Turn, make_response_not_found
from antiphon.wires.responses.replay import is_unfinished, replay_events

POLL_SECONDS = 0.5
"""Seconds between two looks at a response that another process makes, while a caller waits for it."""

Result = TypeVar("Result")


class HistoryHook(Hook):
    """Resolves the history of a request, and makes background responses here if no target can make them."""

    def __init__(self, service: "ResponsesService") -> None:
        self._service = service

    async def before(self, call: Call, model: Model) -> tuple[Call, Model] | Answer:
        service = self._service
        resolved = await resolve_history(service.store, call, model)
        if resolved.keeper is None:
            return resolved.call, resolved.model
        if resolved.in_background and service.jobs is not None:
            return await service.jobs.accept(resolved, resolved.keeper)
        hooks = join_chains(resolved.call.hooks, compile_hooks((resolved.keeper,)))
        return structs.replace(resolved.call, hooks=hooks), resolved.model


class StoredResponse:
    """A response of this gateway: one that this process makes (``job``), or one from the store (``turn``)."""

    def __init__(self, job: BackgroundResponse | None, turn: Turn | None, *, is_owned: bool = False) -> None:
        self.job = job
        self.turn = turn
        self.is_owned = is_owned
        """Whether another process makes it and its lease has not expired."""

    @property
    def response(self) -> dict[str, Any]:
        """The current response object. An unfinished response that no process makes any more has failed."""
        if self.job is not None:
            return self.job.response
        assert self.turn is not None
        response = self.turn.response
        return mark_abandoned(response) if is_unfinished(response) and not self.is_owned else response

    def encode(self) -> bytes:
        """Return the response object as JSON."""
        return encode_json(self.response)

    def replay(self, after: int) -> bytes:
        """Return the events numbered above ``after``, as the response was streamed or would have been."""
        cuts: Sequence[int] = self.turn.cuts if self.turn is not None else ()
        end = self.turn.end if self.turn is not None else 0
        return b"".join(replay_events(self.response, cuts, after=after, end=end))


class ResponsesService:
    """All operations on responses. ``store`` and ``jobs`` are ``None`` if the gateway has no data directory."""

    def __init__(self, store: ResponseStore | None) -> None:
        self.store = store
        self.jobs = BackgroundJobs(store, pipeline.run) if store is not None else None
        self._hooks = compile_hooks((HistoryHook(self),))

    def add_hooks(self, call: Call) -> Call:
        """Return the call with the hooks that resolve its history and keep its turn."""
        return structs.replace(call, hooks=join_chains(call.hooks, self._hooks))

    async def drain(self, seconds: float) -> None:
        """Give background responses some seconds to end, then stop them."""
        if self.jobs is not None:
            await self.jobs.drain(seconds)

    async def find(
        self, services: Services, caller: Caller, name: str, method: str, below: str = "", query: str = ""
    ) -> StoredResponse | Answer:
        """Return the caller's response, or the provider's answer if the provider keeps the response.

        Responses that this process makes are searched first: each is stored before it leaves that table. Raises
        :class:`~antiphon.errors.NotFound`.
        """
        if self.jobs is not None and (job := self.jobs.find(name, caller.key_id)) is not None:
            return StoredResponse(job, None)
        found = await self._read(name, lambda store: store.find(caller.key_id, name))
        if found is None or self.store is None:
            raise make_response_not_found(name)
        if (place := ProviderStored.try_decode(found.data)) is not None:
            return await ask_provider(services, self.store, Retrieval(caller, method, name, place, below, query))
        return StoredResponse(None, Turn.decode(found.data), is_owned=found.is_owned)

    async def cancel(self, caller: Caller, name: str, stored: StoredResponse) -> StoredResponse:
        """Cancel a background response, whichever process makes it, and return it as it ended."""
        if stored.job is not None:
            await stored.job.cancel()
            return stored
        if not stored.is_owned:
            return stored
        await self._read(name, lambda store: store.request_cancel(caller.key_id, name))
        return await self._wait_for_owner(caller, name, stored)

    async def delete(self, caller: Caller, name: str, stored: StoredResponse | None) -> bool:
        """Delete a response, after cancelling it if it is being made; return false if there is none."""
        if stored is not None:
            await self.cancel(caller, name, stored)
        return await self._read(name, lambda store: store.delete(caller.key_id, name))

    async def list_items(self, caller: Caller, name: str, *, after: str, limit: int, order: str) -> bytes:
        """Return a page of a response's input items as JSON; raises :class:`~antiphon.errors.NotFound`."""

        def read(store: ResponseStore) -> bytes | None:
            found, missing = store.list_turns(caller.key_id, name)
            if found and missing:
                raise NotFound(f"The response {missing!r}, which {name!r} continues, was deleted or has expired.")
            turns = [Turn.decode(data) for data in found]
            return History(turns).write_page(after=after, limit=limit, order=order) if turns else None

        page = await self._read(name, read)
        if page is None:
            raise make_response_not_found(name)
        return page

    def follow(self, services: Services, caller: Caller, name: str, stored: StoredResponse, after: int) -> AnswerStream:
        """Return the events of a response numbered above ``after``, including those still to come."""
        if stored.job is not None:
            return stored.job.follow(after)
        return _OwnedFollower(self, services, caller, name, stored, after)

    async def poll(self, caller: Caller, name: str, stored: StoredResponse) -> StoredResponse:
        """Wait a moment, and return a response that another process makes as it is then."""
        await asyncio.sleep(POLL_SECONDS)
        found = await self._read(name, lambda store: store.find(caller.key_id, name))
        if found is None:  # it was deleted, which cancels it first
            assert stored.turn is not None
            response = {**stored.turn.response, "status": "cancelled"}
            return StoredResponse(None, structs.replace(stored.turn, response=response))
        return StoredResponse(None, Turn.decode(found.data), is_owned=found.is_owned)

    async def _wait_for_owner(self, caller: Caller, name: str, stored: StoredResponse) -> StoredResponse:
        while stored.is_owned:
            stored = await self.poll(caller, name, stored)
        return stored

    async def _read(self, name: str, ask: Callable[[ResponseStore], Result]) -> Result:
        if self.store is None:
            raise make_response_not_found(name)
        try:
            return await asyncio.to_thread(ask, self.store)
        except LedgerError as problem:
            raise Unavailable(
                "Stored responses cannot be read or changed at the moment.",
                code="responses_unavailable",
                retry_after=1.0,
            ) from problem


class _OwnedFollower:
    """The events of a response that another process makes; an ``AnswerStream``.

    The events are in that process until the response has ended. This stream sends heartbeats until then, and all events
    after it.
    """

    record = None

    def __init__(
        self,
        service: ResponsesService,
        services: Services,
        caller: Caller,
        name: str,
        stored: StoredResponse,
        after: int,
    ) -> None:
        self._service = service
        self._beat = services.settings.heartbeat
        self._heartbeat = get_wire("responses").heartbeat
        self._caller = caller
        self._name = name
        self._stored = stored
        self._after = after
        self._is_over = False

    async def next(self, write: Write | None = None) -> bytes:
        """Return a heartbeat, all events, or ``b""`` at the end."""
        if self._is_over:
            return b""
        loop = asyncio.get_running_loop()
        beat_at = loop.time() + self._beat
        while self._stored.is_owned:
            self._stored = await self._service.poll(self._caller, self._name, self._stored)
            if self._stored.is_owned and loop.time() >= beat_at:
                return self._heartbeat
        self._is_over = True
        return self._stored.replay(self._after)

    def close(self) -> None:
        """Stop following."""
