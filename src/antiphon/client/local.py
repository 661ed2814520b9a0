"""Calls in this process: the gateway's own pipeline, without a server between."""

import weakref
from decimal import Decimal
from typing import Any

from antiphon import errors
from antiphon.client.facts import Facts, facts_of
from antiphon.config import load_config
from antiphon.engine.call import Answer, AnswerStream
from antiphon.engine.response_headers import format_dollars
from antiphon.runtime import Runtime
from antiphon.types import Caller

CALLER = Caller("local", "in process", admin=True)
"""Who calls where there is no key: the program itself."""


class LocalFrames:
    """A stream of the engine; its cost is known from its record, after the end."""

    def __init__(self, answer: Answer, stream: AnswerStream) -> None:
        self._answer = answer
        self._stream = stream
        self.next = stream.next
        self.close = stream.close

    @property
    def facts(self) -> Facts:
        facts = facts_of(self._answer.headers)
        record = self._stream.record
        if record is None or record.cost is None:
            return facts
        return Facts(facts.call_id, facts.target, facts.attempts, Decimal(format_dollars(record.cost)))


class Local:
    """The engine in this process; it keeps a ledger where ``data`` or the configuration names a directory for it."""

    def __init__(self, config: str | None, data: str | None) -> None:
        self._catalog = load_config(config, data=data)
        stated = self._catalog.get_source("data") != "default"
        self._runtime = Runtime(self._catalog, data=self._catalog.settings.data if stated else None)
        # Streams under way; a caller may forget one, and its record must be written before the ledger closes.
        self._streams: weakref.WeakSet[LocalFrames] = weakref.WeakSet()

    async def start(self) -> None:
        await self._runtime.start()

    async def close(self) -> None:
        for frames in tuple(self._streams):
            frames.close()
        await self._runtime.close()

    async def whole(self, operation: str, body: bytes) -> tuple[bytes, Facts]:
        answer = await self._runtime.ask(operation, body, CALLER)
        return answer.body or b"", facts_of(answer.headers)

    async def frames(self, operation: str, body: bytes) -> LocalFrames:
        answer = await self._runtime.ask(operation, body, CALLER)
        if answer.stream is None:
            raise errors.BadAnswer("The answer to a streamed call is not a stream.")
        frames = LocalFrames(answer, answer.stream)
        self._streams.add(frames)
        return frames

    async def models(self) -> list[dict[str, Any]]:
        return self._catalog.list_models()
