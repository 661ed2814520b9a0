"""Text and numbers the simulator makes up, always the same for the same input: tokens, filler text, vectors.

A simulated token is four code points, so that counting one costs nothing and the pieces join to the text again.
"""

import hashlib
import math
from array import array
from collections.abc import Iterator
from sys import byteorder

PIECE = 4

_LOREM = (
    "Lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod tempor incididunt ut labore et dolore "
    "magna aliqua. Ut enim ad minim veniam, quis nostrud exercitation ullamco laboris nisi ut aliquip ex ea commodo "
    "consequat. Duis aute irure dolor in reprehenderit in voluptate velit esse cillum dolore eu fugiat nulla "
    "pariatur. Excepteur sint occaecat cupidatat non proident, sunt in culpa qui officia deserunt mollit anim id est "
    "laborum. "
)


def count(text: str) -> int:
    """Return how many tokens ``text`` is."""
    return (len(text) + PIECE - 1) // PIECE


def pieces(text: str) -> Iterator[str]:
    """Return the tokens of ``text``, one after the other; joined they are ``text`` again."""
    return (text[start : start + PIECE] for start in range(0, len(text), PIECE))


def lorem(tokens: int) -> str:
    """Return filler text of exactly that many tokens."""
    size = tokens * PIECE
    return (_LOREM * (size // len(_LOREM) + 1))[:size]


def vector(seed: bytes, dimensions: int) -> "array[float]":
    """Return a unit vector of 32-bit floats that depends on ``seed`` alone.

    Fewer dimensions of one seed are the first ones of more dimensions, scaled to unit length again.
    """
    numbers = array("h", hashlib.shake_256(seed).digest(dimensions * 2))
    if byteorder == "big":
        numbers.byteswap()
    length = math.sqrt(sum(number * number for number in numbers)) or 1.0
    return array("f", [number / length for number in numbers])
