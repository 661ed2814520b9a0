"""Calls in this process: the gateway's own pipeline, without a server between."""

import weakref
from decimal import Decimal
from typing import Any

from antiphon.client.call_info import CallInfo, read_call_info
from antiphon.config import load_config
from antiphon.engine.call import Answer, AnswerStream
from antiphon.engine.response_headers import format_dollars
from antiphon.errors import BadAnswer
from antiphon.runtime import Runtime
from antiphon.transport.interface import Headers
from antiphon.types import Caller

CALLER = Caller("local", "in process", admin=True)
"""The caller where there are no keys: the program itself."""


class LocalStream:
    """A stream of the engine; its cost is known from its record, after the end."""

    def __init__(self, answer: Answer, stream: AnswerStream) -> None:
        self._answer = answer
        self._stream = stream
        self.read = stream.next
        self.close = stream.close

    @property
    def info(self) -> CallInfo:
        info = read_call_info(self._answer.headers)
        record = self._stream.record
        if record is None or record.cost is None:
            return info
        return CallInfo(info.call_id, info.target, info.attempts, Decimal(format_dollars(record.cost)))


class LocalBackend:
    """The engine in this process; it keeps a ledger if ``data`` or the configuration names a directory for it."""

    def __init__(self, config: str | None, data: str | None) -> None:
        self._catalog = load_config(config, data=data)
        keeps_ledger = self._catalog.get_source("data") != "default"
        self._runtime = Runtime(self._catalog, data=self._catalog.settings.data if keeps_ledger else None)
        # Streams under way. A caller may forget one, and its record must be written before the ledger closes.
        self._streams: weakref.WeakSet[LocalStream] = weakref.WeakSet()

    async def start(self) -> None:
        await self._runtime.start()

    async def close(self) -> None:
        for stream in tuple(self._streams):
            stream.close()
        await self._runtime.close()

    async def ask(self, operation: str, body: bytes) -> tuple[bytes, Headers]:
        answer = await self._runtime.ask(operation, body, CALLER)
        return answer.body or b"", answer.headers

    async def start_stream(self, operation: str, body: bytes) -> LocalStream:
        answer = await self._runtime.ask(operation, body, CALLER)
        if answer.stream is None:
            raise BadAnswer("The answer to a streamed call is not a stream.")
        stream = LocalStream(answer, answer.stream)
        self._streams.add(stream)
        return stream

    async def list_models(self) -> list[dict[str, Any]]:
        return self._catalog.list_models()
