"""An event stream in its natural parts, so that a fault can take one away or break one."""

from collections.abc import Iterable, Iterator
from itertools import zip_longest
from typing import Protocol

import msgspec

from antiphon.sim.dialect import OPENAI

DONE = b"data: [DONE]\n\n"
FAILURE = b"data: " + OPENAI.error(500, "The simulated provider broke.", "server_error", "sim_broken", None) + b"\n\n"


class Frames(msgspec.Struct, eq=False):
    """Whole server-sent events: before the first token, one entry per token, the finish reason, the usage, the end.

    Beside them are what faults put in their place: an error, an event that is not JSON, a sign of life.
    """

    preamble: bytes
    tokens: Iterable[bytes]
    finish: bytes
    usage: bytes = b""
    done: bytes = DONE
    failure: bytes = FAILURE
    nonsense: bytes = OPENAI.nonsense
    life: bytes = OPENAI.life


class Parts(Protocol):
    """A stream in its parts, whichever wire it is of; see :class:`Frames`."""

    preamble: bytes
    nonsense: bytes
    life: bytes

    @property
    def tokens(self) -> Iterable[bytes]: ...

    @property
    def finish(self) -> bytes: ...

    @property
    def usage(self) -> bytes: ...

    @property
    def done(self) -> bytes: ...

    @property
    def failure(self) -> bytes: ...


def interleaved(choices: list[Iterator[bytes]]) -> Iterable[bytes]:
    """Return the tokens of several choices as a provider sends them: one of each in turn."""
    if len(choices) == 1:
        return choices[0]
    return (b"".join([part for part in parts if part]) for parts in zip_longest(*choices))
