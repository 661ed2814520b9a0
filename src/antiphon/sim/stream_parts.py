"""An event stream in its natural parts, so that a fault can leave one out or break one."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest
from typing import Protocol

import msgspec

from antiphon.sim.wire_format import OPENAI, WireFormat

BROKEN_MESSAGE = "The simulated provider broke."
BROKEN_CODE = "sim_broken"


def write_broken_error(wire_format: WireFormat) -> bytes:
    """Return the body of the error by which a simulated provider breaks."""
    return wire_format.write_error(500, BROKEN_MESSAGE, "server_error", BROKEN_CODE, None)


class StreamParts(Protocol):
    """A stream of any wire: before the first token, one entry per token, the finish reason, the usage, the end marker.

    Beside them are the parts that faults put in their place: an error, an event that is not JSON, a keep-alive.
    """

    preamble: bytes
    malformed_event: bytes
    keepalive: bytes

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


class OpenAIStreamParts(msgspec.Struct, eq=False):
    """The parts of a stream of OpenAI's chat or completions, each whole server-sent events."""

    preamble: bytes
    tokens: Iterable[bytes]
    finish: bytes
    usage: bytes = b""
    done: bytes = b"data: [DONE]\n\n"
    failure: bytes = b"data: " + write_broken_error(OPENAI) + b"\n\n"
    malformed_event: bytes = OPENAI.malformed_event
    keepalive: bytes = OPENAI.keepalive


def interleave_tokens(choices: Sequence[Iterator[bytes]]) -> Iterable[bytes]:
    """Return the tokens of several choices in the order in which a provider sends them: one of each in turn."""
    if len(choices) == 1:
        return choices[0]
    return (b"".join([token for token in tokens if token]) for tokens in zip_longest(*choices))
