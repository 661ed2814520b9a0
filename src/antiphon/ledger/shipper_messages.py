"""What a gateway and its shipper process say to each other: one JSON object a line, over a pair of sockets.

The gateway sends an :class:`Assignment` and later perhaps :class:`Finish`; the process sends :class:`Filed` and
:class:`Logged`. If either side closes its socket, also by dying, the other one knows.
"""

import socket
from importlib import import_module
from typing import Any

import msgspec

from antiphon.database.database import Database

_RECEIVE_BYTES = 64 << 10


class Assignment(msgspec.Struct, frozen=True, tag=True):
    """What the process must know. ``lock`` is the inherited descriptor of the writer's lock; ``tasks`` see
    :func:`make_task`."""

    directory: str
    writer: str
    lock: int
    database: str
    log_level: int
    tasks: tuple[str, ...] = ()


class Finish(msgspec.Struct, frozen=True, tag=True):
    """The journal is closed: move what is left within ``timeout`` seconds and end."""

    timeout: float


class Filed(msgspec.Struct, frozen=True, tag=True):
    """How far the process is; see :data:`antiphon.ledger.shipper.Progress`."""

    segment: int
    offset: int
    inherited: int


class Logged(msgspec.Struct, frozen=True, tag=True):
    """A line for the gateway's log."""

    logger: str
    level: int
    message: str


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Assignment | Finish | Filed | Logged).decode


class Channel:
    """One end of the pair of sockets."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._received = b""
        self.closed = False
        """Whether the other side has closed its end."""

    def fileno(self) -> int:
        return self._connection.fileno()

    def send(self, message: msgspec.Struct) -> None:
        """Send a message; raises ``OSError`` if the other side is gone."""
        self._connection.sendall(_encode(message) + b"\n")

    def receive(self, *, wait: bool = True) -> list[Any]:
        """Return the messages that have arrived; if there are none yet, wait for some bytes or return nothing."""
        try:
            data = self._connection.recv(_RECEIVE_BYTES, 0 if wait else socket.MSG_DONTWAIT)
        except BlockingIOError:
            return []
        except OSError:
            data = b""
        self.closed = not data
        *lines, self._received = (self._received + data).split(b"\n")
        return [_decode(line) for line in lines]

    def close(self) -> None:
        self._connection.close()


def make_task(name: str, database: Database) -> Any:
    """Return the task that the factory ``module:function`` makes for a database: a function without arguments."""
    module, _, factory = name.partition(":")
    return getattr(import_module(module), factory)(database)
