"""Time and identity: wall clock for records, monotonic clock for deadlines, ids that sort by time.

What belongs here: reading clocks and making ids. What does not: timers and timeouts, which belong to their users.
"""

import os
import time
from functools import lru_cache
from random import Random

monotonic = time.monotonic
"""Seconds on a clock that never goes backwards; deadlines use no other clock."""

_random = Random()
_random_bits = _random.getrandbits
os.register_at_fork(after_in_child=_random.seed)
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford base 32: no i, l, o, u
_PAIRS = tuple(a + b for a in _ALPHABET for b in _ALPHABET)


def read_time_us() -> int:
    """Return wall-clock time in microseconds since the Unix epoch, for records only."""
    return time.time_ns() // 1000


def make_id(prefix: str) -> str:
    """Return ``prefix_`` and 26 characters that sort by creation time: 48 bits of milliseconds, 80 random bits.

    An id is unique, not secret: its bits come from a generator that is seeded by the operating system, at the start and
    after a fork. Asking the operating system for each id costs more than the rest of a call's record.
    """
    bits, pairs, milliseconds = _random_bits(80), _PAIRS, time.time_ns() // 1_000_000
    return (
        f"{prefix}_{_encode_seconds(milliseconds >> 10)}{pairs[milliseconds & 1023]}"
        f"{pairs[bits >> 70]}{pairs[bits >> 60 & 1023]}"
        f"{pairs[bits >> 50 & 1023]}{pairs[bits >> 40 & 1023]}{pairs[bits >> 30 & 1023]}{pairs[bits >> 20 & 1023]}"
        f"{pairs[bits >> 10 & 1023]}{pairs[bits & 1023]}"
    )


@lru_cache(1)
def _encode_seconds(seconds: int) -> str:
    """Return the part of an id that changes every 1,024 milliseconds."""
    return "".join([_PAIRS[(seconds >> shift) & 1023] for shift in (30, 20, 10, 0)])
