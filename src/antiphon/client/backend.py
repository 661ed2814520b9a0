"""The seam under the clients: a body goes in, an answer or a stream comes out, in this process or from a server."""

from typing import Any, Protocol

from antiphon.client.call_info import CallInfo
from antiphon.transport.interface import Headers

DEFAULT_TIMEOUT = 600.0
"""Seconds for a whole answer of a server, and of silence within a stream, unless the client sets another limit."""


class EventStream(Protocol):
    """A stream of server-sent events that has begun. Its user reads it to its end or closes it."""

    @property
    def info(self) -> CallInfo:
        """What is known of the call so far; the cost only after the end."""

    async def read(self) -> bytes:
        """Return bytes of the stream, ``b""`` at its end."""

    def close(self) -> None:
        """Release the stream; an unfinished answer is cancelled at its source. Idempotent."""


class Backend(Protocol):
    """Answers calls on one event loop, between ``start`` and ``close``."""

    async def start(self) -> None:
        """Prepare for calls on the running loop."""

    async def close(self) -> None:
        """Release everything; calls under way are cancelled."""

    async def ask(self, operation: str, body: bytes) -> tuple[bytes, Headers]:
        """Return a whole answer and its headers; raises :class:`~antiphon.errors.CallError`."""

    async def start_stream(self, operation: str, body: bytes) -> EventStream:
        """Return a stream once the answer has begun; raises :class:`~antiphon.errors.CallError`."""

    async def list_models(self) -> list[dict[str, Any]]:
        """Return the entries of the list of models."""


def choose_backend(
    *, config: str | None, data: str | None, base_url: str | None, api_key: str | None, timeout: float | None
) -> Backend:
    """Return the backend for a client's arguments.

    Raises ``TypeError`` for arguments of both kinds, :class:`~antiphon.errors.ConfigError` for a faulty configuration.
    """
    if base_url is None:
        _refuse("without base_url calls run in this process", api_key=api_key, timeout=timeout)
        from antiphon.client.local import LocalBackend

        return LocalBackend(config, data)
    _refuse("with base_url the server has the configuration", config=config, data=data)
    from antiphon.client.remote import RemoteBackend

    return RemoteBackend(base_url, api_key, DEFAULT_TIMEOUT if timeout is None else timeout)


def _refuse(reason: str, **arguments: object) -> None:
    given = [name for name, value in arguments.items() if value is not None]
    if given:
        raise TypeError(f"{' and '.join(given)} cannot be used here: {reason}")
