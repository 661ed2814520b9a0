"""The asynchronous client and its stream: what the surface of the SDK is; ``sync`` follows it name for name."""

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from types import TracebackType
from typing import Any, Self

from antiphon.client import failure, request
from antiphon.client.backend import Backend, Frames
from antiphon.client.choose import choose_backend
from antiphon.client.facts import Facts
from antiphon.client.reply import CompletionUsage, Embeddings, Event, ModelCard, Reply, decode_object
from antiphon.client.request import EmbeddingInput, Encoding, Messages
from antiphon.wires.sse import SSESplitter, data_of

_DONE = b"[DONE]"


class AsyncAntiphon:
    """Calls models, in this process or at a server; for one event loop.

    Without ``base_url`` calls run in this process through the gateway's own pipeline: ``config`` is the path of an
    ``antiphon.yaml`` (without one: ``./antiphon.yaml`` where it exists, otherwise providers are detected from the
    usual environment variables), ``data`` the directory of the ledger. Without ``data`` here or in the file nothing
    is written to disk. With ``base_url`` calls go to a server under ``api_key``, once each; ``timeout`` is seconds
    for a whole answer and of silence within a stream.

    Raises :class:`~antiphon.errors.ConfigError` for a faulty configuration. Use it as a context manager, or call
    ``close``.
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

        ``messages`` is a text or messages in OpenAI's shape, ``system`` a system message put before them; ``params``
        go to the provider under their own names (``temperature``, ``tools``, ``response_format`` …).
        """
        body = request.chat_body(model, messages, system, params)
        return Reply(*await (await self._ready()).whole("chat", body))

    def stream(self, model: str, messages: Messages, *, system: str | None = None, **params: Any) -> "AsyncStream":
        """Return the answer as events; arguments as for ``chat``. The call begins with its first event."""
        return AsyncStream(self._ready, request.chat_body(model, messages, system, params, stream=True))

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

        ``dimensions`` shortens the vectors where the model can; ``encoding`` is how they travel: ``base64`` is a
        quarter of the size where the provider offers it.
        """
        body = request.embeddings_body(model, input, dimensions, encoding, params)
        return Embeddings(*await (await self._ready()).whole("embeddings", body))

    async def models(self) -> list[ModelCard]:
        """Return the models that can be called by name; ``.id`` is the name."""
        return [ModelCard(entry) for entry in await (await self._ready()).models()]

    async def close(self) -> None:
        """Let go of connections and of the ledger; calls under way are cancelled. Idempotent."""
        if self._closed:
            return
        if self._owner is not None:
            self._check_loop()
        self._closed = True
        async with self._lock:  # a start under way ends first
            self._loop = None
            await self._backend.close()

    aclose = close

    async def __aenter__(self) -> Self:
        await self._ready()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _ready(self) -> Backend:
        if self._loop is not asyncio.get_running_loop():
            await self._open()
        return self._backend

    async def _open(self) -> None:
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

    After the end ``text``, ``usage``, ``cost``, ``attempts``, ``target``, ``call_id`` and ``finish_reason`` are
    known. Where an answer breaks off, what came is yielded first and then the typed error is raised
    (:class:`~antiphon.errors.Truncated`, :class:`~antiphon.errors.UpstreamTimeout` …): an iteration that ends
    quietly was a whole answer.
    """

    def __init__(self, ready: Callable[[], Awaitable[Backend]], body: bytes) -> None:
        self._ready = ready
        self._body = body
        self._frames: Frames | None = None
        self._facts = Facts()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._splitter = SSESplitter()
        self._waiting: list[bytes] = []  # whole frames that came together, last one first
        self._pieces: list[str] = []
        self._ended = self._whole = False
        self.usage: CompletionUsage | None = None
        """Token counts in OpenAI's shape, from the chunk that carries them."""
        self.finish_reason: str | None = None

    @property
    def text(self) -> str:
        """The text of the first choice, as far as it has come."""
        return "".join(self._pieces)

    @property
    def cost(self) -> Decimal | None:
        """Dollars, exact, after the end; ``None`` before it, for an unknown price, and where a server does not say."""
        return self._now().cost

    @property
    def attempts(self) -> int:
        """How many targets were tried."""
        return self._now().attempts

    @property
    def target(self) -> str:
        """The ``provider/model`` that answers."""
        return self._now().target

    @property
    def call_id(self) -> str:
        """The id of the call in the ledger, in logs and in errors."""
        return self._now().call_id

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        event = await self._next_event()
        if event is None:
            raise StopAsyncIteration
        return event

    async def close(self) -> None:
        """Stop the answer where it is; its provider is told within half a second. Idempotent."""
        self._end()

    aclose = close

    async def __aenter__(self) -> Self:
        if self._frames is None and not self._ended:
            await self._begin()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def __del__(self) -> None:
        frames, loop = self._frames, self._loop
        if frames is not None and loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(frames.close)

    async def _begin(self) -> Frames:
        backend = await self._ready()
        try:
            self._frames = await backend.frames("chat", self._body)
        except BaseException:
            self._ended = True
            raise
        self._loop = asyncio.get_running_loop()
        return self._frames

    async def _next_event(self) -> Event | None:
        """Return the next event, ``None`` at the proper end; anything else raises and closes."""
        try:
            while not self._ended:
                event = self._take()
                if event is not None:
                    return event
                chunk = await (self._frames or await self._begin()).next()
                if chunk:
                    self._waiting = self._splitter.feed(chunk)[::-1]
                else:
                    self._finish()
        except BaseException:
            self._end()
            raise
        return None

    def _take(self) -> Event | None:
        """Return the next event of those that have come already."""
        while self._waiting:
            event = self._read(self._waiting.pop())
            if event is not None:
                return event
        return None

    def _read(self, frame: bytes) -> Event | None:
        raw = data_of(frame)
        if raw is None or raw == _DONE:
            self._whole |= raw is not None
            return None
        data = decode_object(raw)
        if "error" in data:
            error = failure.from_event(data, raw)
            if error is not None:
                error.call_id = error.call_id or self.call_id
                raise error
        event = Event(raw, data)
        if event.text:
            self._pieces.append(event.text)
        if event.finish_reason:
            self.finish_reason = event.finish_reason
            self._whole = True
        if data.get("usage"):
            self.usage = event.usage
        return event

    def _finish(self) -> None:
        self._end()
        if not self._whole:
            raise failure.cut_short()

    def _now(self) -> Facts:
        if self._frames is not None:
            self._facts = self._frames.facts
        return self._facts

    def _end(self) -> None:
        self._ended = True
        if self._frames is not None:
            self._frames.close()
            self._facts, self._frames = self._frames.facts, None
        self._waiting.clear()
