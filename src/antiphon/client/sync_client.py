"""The synchronous twin: every name of the asynchronous client, run by one :class:`LoopThread` per client."""

import weakref
from collections.abc import Iterator
from contextlib import suppress
from decimal import Decimal
from os import getpid
from types import TracebackType
from typing import Any, Self

from antiphon.client.async_client import AsyncAntiphon, AsyncStream
from antiphon.client.loop_thread import LoopThread
from antiphon.client.reply import CompletionUsage, Embeddings, Event, ModelCard, Reply
from antiphon.client.request import EmbeddingInput, Encoding, Messages


class Antiphon:
    """Calls models from ordinary code, also if an event loop runs (Jupyter), and from many threads at once.

    The arguments are those of :class:`AsyncAntiphon`. A call runs in the calling thread if no other call is under way.
    A background thread does the rest; it ends with ``close``, with the last reference to the client, or with the
    interpreter. Ctrl-C during a call cancels the call. In a forked child the client begins anew, with its own
    connections.
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
        def make_client() -> AsyncAntiphon:
            return AsyncAntiphon(config=config, data=data, base_url=base_url, api_key=api_key, timeout=timeout)

        self._make_client = make_client
        self._inherited: list[object] = []
        self._set_up()

    def chat(self, model: str, messages: Messages, *, system: str | None = None, **params: Any) -> Reply:
        """Return the whole answer of a model; arguments and errors as :meth:`AsyncAntiphon.chat`."""
        client = self._get_client()
        return self._loop_thread.run(client.chat, model, messages, system=system, **params)

    def stream(self, model: str, messages: Messages, *, system: str | None = None, **params: Any) -> "Stream":
        """Return the answer as an iterator of events; as :meth:`AsyncAntiphon.stream`."""
        client = self._get_client()
        return Stream(client.stream(model, messages, system=system, **params), self._loop_thread, self)

    def embed(
        self,
        model: str,
        input: EmbeddingInput,
        *,
        dimensions: int | None = None,
        encoding: Encoding = "float",
        **params: Any,
    ) -> Embeddings:
        """Return one vector for each input; as :meth:`AsyncAntiphon.embed`."""
        client = self._get_client()
        return self._loop_thread.run(client.embed, model, input, dimensions=dimensions, encoding=encoding, **params)

    def models(self) -> list[ModelCard]:
        """Return the models that can be called by name; as :meth:`AsyncAntiphon.models`."""
        client = self._get_client()
        return self._loop_thread.run(client.models)

    def close(self) -> None:
        """Release connections, the ledger and the thread; calls under way are cancelled. Idempotent."""
        self._finalizer()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _get_client(self) -> AsyncAntiphon:
        if getpid() != self._loop_thread.pid:
            # The parent's loop shares its poll set with this copy: closing the copy would disturb the parent.
            self._finalizer.detach()
            self._inherited += (self._client, self._loop_thread)
            self._set_up()
        return self._client

    def _set_up(self) -> None:
        self._client = self._make_client()
        self._loop_thread = LoopThread(self._client.close)
        self._finalizer = weakref.finalize(self, self._loop_thread.close)


class Stream:
    """The events of one answer: ``for event in stream``, best within ``with stream``.

    As :class:`AsyncStream`. The next piece is fetched when you ask for it, so a slow reader slows the provider down and
    nothing piles up.
    """

    def __init__(self, inner: AsyncStream, loop_thread: LoopThread, client: Antiphon) -> None:
        self._inner = inner
        self._loop_thread = loop_thread
        self._client = client  # must not be collected while its stream is read

    @property
    def usage(self) -> CompletionUsage | None:
        """Token counts in OpenAI's form, from the chunk that carries them."""
        return self._inner.usage

    @property
    def finish_reason(self) -> str | None:
        """Why the first choice ended, once it has."""
        return self._inner.finish_reason

    @property
    def text(self) -> str:
        """The text of the first choice so far."""
        return self._inner.text

    @property
    def cost(self) -> Decimal | None:
        """Dollars, exact, after the end; ``None`` before it, for an unknown price, and if a server states none."""
        return self._inner.cost

    @property
    def attempts(self) -> int:
        """The number of targets that were tried."""
        return self._inner.attempts

    @property
    def target(self) -> str:
        """The ``provider/model`` that answers."""
        return self._inner.target

    @property
    def call_id(self) -> str:
        """The id of the call in the ledger, in logs and in errors."""
        return self._inner.call_id

    def __iter__(self) -> Iterator[Event]:
        return self

    def __next__(self) -> Event:
        event = self._take_event() or self._loop_thread.run(self._inner._read_event)
        if event is None:
            raise StopIteration
        return event

    def close(self) -> None:
        """Stop the answer; the connection to its provider is closed within half a second. Idempotent."""
        with suppress(RuntimeError):  # closing the client has closed its streams
            self._loop_thread.run(self._inner.close)

    def __enter__(self) -> Self:
        self._loop_thread.run(self._inner.__aenter__)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        if self._inner._is_open:
            self._loop_thread.wake()  # to run the callback by which the inner stream closes itself

    def _take_event(self) -> Event | None:
        """Return an event that arrived together with the last one, without running the loop for it."""
        try:
            return self._inner._take_event()
        except BaseException:
            self.close()
            raise
