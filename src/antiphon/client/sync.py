"""The synchronous twin: every name of the asynchronous client, over one event-loop thread per client."""

import weakref
from collections.abc import Iterator
from contextlib import suppress
from decimal import Decimal
from os import getpid
from types import TracebackType
from typing import Any, Self

from antiphon.client.aio import AsyncAntiphon, AsyncStream
from antiphon.client.portal import Portal
from antiphon.client.reply import CompletionUsage, Embeddings, Event, ModelCard, Reply
from antiphon.client.request import EmbeddingInput, Encoding, Messages


class Antiphon:
    """Calls models from ordinary code, also where an event loop runs (Jupyter), and from many threads at once.

    The arguments are those of :class:`AsyncAntiphon`. The client has one background thread, which ends with
    ``close``, with the last reference to the client, or with the interpreter. Ctrl-C during a call cancels the call.
    In a forked child the client begins anew, with connections of its own.
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
        def make() -> AsyncAntiphon:
            return AsyncAntiphon(config=config, data=data, base_url=base_url, api_key=api_key, timeout=timeout)

        self._make = make
        self._inherited: list[object] = []
        self._settle()

    def chat(self, model: str, messages: Messages, *, system: str | None = None, **params: Any) -> Reply:
        """Return the whole answer of a model; arguments and errors as :meth:`AsyncAntiphon.chat`."""
        client = self._here()
        return self._portal.run(client.chat, model, messages, system=system, **params)

    def stream(self, model: str, messages: Messages, *, system: str | None = None, **params: Any) -> "Stream":
        """Return the answer as an iterator of events; as :meth:`AsyncAntiphon.stream`."""
        client = self._here()
        return Stream(client.stream(model, messages, system=system, **params), self._portal, self)

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
        client = self._here()
        return self._portal.run(client.embed, model, input, dimensions=dimensions, encoding=encoding, **params)

    def models(self) -> list[ModelCard]:
        """Return the models that can be called by name; as :meth:`AsyncAntiphon.models`."""
        client = self._here()
        return self._portal.run(client.models)

    def close(self) -> None:
        """Let go of connections, of the ledger and of the thread; calls under way are cancelled. Idempotent."""
        self._finalizer()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _here(self) -> AsyncAntiphon:
        if getpid() != self._portal.pid:
            # The parent's loop shares its poll set with this copy: closing it here would deafen the parent.
            self._finalizer.detach()
            self._inherited += (self._client, self._portal)
            self._settle()
        return self._client

    def _settle(self) -> None:
        self._client = self._make()
        self._portal = Portal(self._client.close)
        self._finalizer = weakref.finalize(self, self._portal.close)


class Stream:
    """The events of one answer: ``for event in stream``, best within ``with stream``.

    As :class:`AsyncStream`. The next piece is fetched when it is asked for, so a slow reader slows the provider down
    and nothing piles up.
    """

    def __init__(self, inner: AsyncStream, portal: Portal, client: Antiphon) -> None:
        self._inner = inner
        self._portal = portal
        self._client = client  # which must not be collected while its stream is read

    @property
    def usage(self) -> CompletionUsage | None:
        """Token counts in OpenAI's shape, from the chunk that carries them."""
        return self._inner.usage

    @property
    def finish_reason(self) -> str | None:
        """Why the first choice ended, once it has."""
        return self._inner.finish_reason

    @property
    def text(self) -> str:
        """The text of the first choice, as far as it has come."""
        return self._inner.text

    @property
    def cost(self) -> Decimal | None:
        """Dollars, exact, after the end; ``None`` before it, for an unknown price, and where a server does not say."""
        return self._inner.cost

    @property
    def attempts(self) -> int:
        """How many targets were tried."""
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
        event = self._waiting() or self._portal.run(self._inner._next_event)
        if event is None:
            raise StopIteration
        return event

    def close(self) -> None:
        """Stop the answer where it is; its provider is told within half a second. Idempotent."""
        with suppress(RuntimeError):  # of a client that is closed, and its streams with it
            self._portal.run(self._inner.close)

    def __enter__(self) -> Self:
        self._portal.run(self._inner.__aenter__)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _waiting(self) -> Event | None:
        """Return an event that came together with the last one, without going over to the loop for it."""
        try:
            return self._inner._take()
        except BaseException:
            self.close()
            raise
