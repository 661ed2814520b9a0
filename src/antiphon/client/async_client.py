"""The asynchronous client and its stream. They define the interface of the SDK; ``sync_client`` has the same names."""

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from types import TracebackType
from typing import Any, Self

from antiphon.client import request
from antiphon.client.backend import Backend, EventStream, choose_backend
from antiphon.client.call_info import CallInfo
from antiphon.client.error_reader import make_truncated, read_error_event
from antiphon.client.reply import CompletionUsage, Embeddings, Event, ModelCard, Reply, decode_object
from antiphon.client.request import EmbeddingInput, Encoding, Messages
from antiphon.wires.sse import SSESplitter, read_data

_DONE = b"[DONE]"


class AsyncAntiphon:
    """Calls models, in this process or at a server; for one event loop.

    Without ``base_url``, calls run in this process through the gateway's own pipeline. ``config`` is the path of an
    ``antiphon.yaml``. Without it, the client uses ``./antiphon.yaml`` if it exists, and otherwise detects providers
    from their usual environment variables. ``data`` is the directory of the ledger; without ``data`` here or in the
    file, nothing is written to disk. With ``base_url``, calls go to a server under ``api_key``, once each. ``timeout``
    is seconds for a whole answer and of silence within a stream.

    Raises :class:`~antiphon.errors.ConfigError` for a faulty configuration. Use the client as a context manager, or
    call ``close``.
    """

    def __init__(
        self,
        *,
        config: str | None = None,
        data: str | None = None,
        base_url: str | None = None,
        api_key: str | None = None,
        timeout: float | None = None,
    ) -> None:
        self._backend = choose_backend(config=config, data=data, base_url=base_url, api_key=api_key, timeout=timeout)
        self._lock = asyncio.Lock()
        self._owner: asyncio.AbstractEventLoop | None = None
        self._loop: asyncio.AbstractEventLoop | None = None  # the owner, while the backend is ready
        self._closed = False

    async def chat(self, model: str, messages: Messages, *, system: str | None = None, **params: Any) -> Reply:
        """Return the whole answer of a model; raises :class:`~antiphon.errors.CallError`.

        ``messages`` is a text or messages in OpenAI's form. ``system`` is a system message placed before them.
        ``params`` go to the provider under their own names (``temperature``, ``tools``, ``response_format`` …).
        """
        body = request.write_chat_body(model, messages, system, params)
        return Reply(*await (await self._get_backend()).ask("chat", body))

    def stream(self, model: str, messages: Messages, *, system: str | None = None, **params: Any) -> "AsyncStream":
        """Return the answer as events; arguments as for ``chat``. The call begins with its first event."""
        return AsyncStream(self._get_backend, request.write_chat_body(model, messages, system, params, stream=True))

    async def embed(
        self,
        model: str,
        input: EmbeddingInput,
        *,
        dimensions: int | None = None,
        encoding: Encoding = "float",
        **params: Any,
    ) -> Embeddings:
        """Return one vector for each input, as lists of floats; raises :class:`~antiphon.errors.CallError`.

        ``dimensions`` shortens the vectors, if the model can. ``encoding`` is their form in transit: ``base64`` takes a
        quarter of the bytes, if the provider offers it.
        """
        body = request.write_embeddings_body(model, input, dimensions, encoding, params)
        return Embeddings(*await (await self._get_backend()).ask("embeddings", body))

    async def models(self) -> list[ModelCard]:
        """Return the models that can be called by name; ``.id`` is the name."""
        return [ModelCard(entry) for entry in await (await self._get_backend()).list_models()]

    async def close(self) -> None:
        """Release connections and the ledger; calls under way are cancelled. Idempotent."""
        if self._closed:
            return
        if self._owner is not None:
            self._check_loop()
        self._closed = True
        async with self._lock:  # wait for a start under way
            self._loop = None
            await self._backend.close()

    aclose = close

    async def __aenter__(self) -> Self:
        await self._get_backend()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _get_backend(self) -> Backend:
        if self._loop is not asyncio.get_running_loop():
            await self._start()
        return self._backend

    async def _start(self) -> None:
        self._check_loop()
        async with self._lock:
            if self._closed:
                raise RuntimeError("the client is closed; make a new one")
            if self._loop is None:
                await self._backend.start()
                self._loop = self._owner

    def _check_loop(self) -> None:
        loop = asyncio.get_running_loop()
        if self._owner is None:
            self._owner = loop
        elif self._owner is not loop:
            raise RuntimeError(
                "this AsyncAntiphon is used from a second event loop; its connections belong to the first. "
                "Make one client in each loop, or use Antiphon, which works from anywhere"
            )


class AsyncStream:
    """The events of one answer: ``async for event in stream``, best within ``async with stream``.

    After the end, ``text``, ``usage``, ``cost``, ``attempts``, ``target``, ``call_id`` and ``finish_reason`` are known.
    If an answer breaks off, the iteration yields the events so far and then raises the typed error
    (:class:`~antiphon.errors.Truncated`, :class:`~antiphon.errors.UpstreamTimeout` …). An iteration that ends without
    an error was a complete answer.
    """

    def __init__(self, get_backend: Callable[[], Awaitable[Backend]], body: bytes) -> None:
        self._get_backend = get_backend
        self._body = body
        self._source: EventStream | None = None
        self._info = CallInfo()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._splitter = SSESplitter()
        self._frames: list[bytes] = []  # whole frames that arrived together, in reverse order
        self._pieces: list[str] = []
        self._ended = self._complete = False
        self.usage: CompletionUsage | None = None
        """Token counts in OpenAI's form, from the chunk that carries them."""
        self.finish_reason: str | None = None

    @property
    def text(self) -> str:
        """The text of the first choice so far."""
        return "".join(self._pieces)

    @property
    def cost(self) -> Decimal | None:
        """Dollars, exact, after the end; ``None`` before it, for an unknown price, and if a server states none."""
        return self._get_info().cost

    @property
    def attempts(self) -> int:
        """The number of targets that were tried."""
        return self._get_info().attempts

    @property
    def target(self) -> str:
        """The ``provider/model`` that answers."""
        return self._get_info().target

    @property
    def call_id(self) -> str:
        """The id of the call in the ledger, in logs and in errors."""
        return self._get_info().call_id

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        event = await self._read_event()
        if event is None:
            raise StopAsyncIteration
        return event

    @property
    def _is_open(self) -> bool:
        return self._source is not None

    async def close(self) -> None:
        """Stop the answer; the connection to its provider is closed within half a second. Idempotent."""
        self._end()

    aclose = close

    async def __aenter__(self) -> Self:
        if self._source is None and not self._ended:
            await self._begin()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def __del__(self) -> None:
        source, loop = self._source, self._loop
        if source is not None and loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(source.close)

    async def _begin(self) -> EventStream:
        backend = await self._get_backend()
        try:
            self._source = await backend.start_stream("chat", self._body)
        except BaseException:
            self._ended = True
            raise
        self._loop = asyncio.get_running_loop()
        return self._source

    async def _read_event(self) -> Event | None:
        """Return the next event, or ``None`` after the complete answer; closes the stream on any error."""
        try:
            while not self._ended:
                event = self._take_event()
                if event is not None:
                    return event
                chunk = await (self._source or await self._begin()).read()
                if chunk:
                    self._frames = self._splitter.feed(chunk)[::-1]
                else:
                    self._finish()
        except BaseException:
            self._end()
            raise
        return None

    def _take_event(self) -> Event | None:
        """Return the next event that has arrived already, or ``None``."""
        while self._frames:
            event = self._read_frame(self._frames.pop())
            if event is not None:
                return event
        return None

    def _read_frame(self, frame: bytes) -> Event | None:
        raw = read_data(frame)
        if raw is None or raw == _DONE:
            self._complete |= raw is not None
            return None
        data = decode_object(raw)
        if "error" in data:
            error = read_error_event(data, raw)
            if error is not None:
                error.call_id = error.call_id or self.call_id
                raise error
        event = Event(raw, data)
        if event.text:
            self._pieces.append(event.text)
        if event.finish_reason:
            self.finish_reason = event.finish_reason
            self._complete = True
        if data.get("usage"):
            self.usage = event.usage
        return event

    def _finish(self) -> None:
        self._end()
        if not self._complete:
            raise make_truncated()

    def _get_info(self) -> CallInfo:
        if self._source is not None:
            self._info = self._source.info
        return self._info

    def _end(self) -> None:
        self._ended = True
        if self._source is not None:
            self._source.close()
            self._info, self._source = self._source.info, None
        self._frames.clear()
