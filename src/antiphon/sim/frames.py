"""An event stream in its natural parts, so that a fault can take one away or break one."""

from collections.abc import Iterable, Iterator
from itertools import zip_longest

import msgspec

DONE = b"data: [DONE]\n\n"


class Frames(msgspec.Struct, eq=False):
    """Whole server-sent events: before the first token, one entry per token, the finish reason, the usage, the end."""

    preamble: bytes
    tokens: Iterable[bytes]
    finish: bytes
    usage: bytes = b""
    done: bytes = DONE


def interleaved(choices: list[Iterator[bytes]]) -> Iterable[bytes]:
    """Return the tokens of several choices as a provider sends them: one of each in turn."""
    if len(choices) == 1:
        return choices[0]
    return (b"".join([part for part in parts if part]) for parts in zip_longest(*choices))
