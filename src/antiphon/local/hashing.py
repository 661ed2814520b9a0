"""The hashing embedder: words and pieces of words, hashed into a vector. It needs no model and knows no meaning.

Texts are near each other where they share words, or words of similar spelling. The result is bit for bit the same on
every machine: all sums are of whole numbers, and square root and division are exactly rounded (IEEE 754 section 5.4.1).
"""

import math
import re
import unicodedata
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain
from operator import mul
from zlib import crc32

_words = re.compile(r"\w{1,64}|[^\w\s]").findall
_REMEMBERED = 32_768
_MIX = 0x9E3779B97F4A7C15
_WORD, _PIECE = 0, 1
_MOST_COUNTED = 1024
_LOGS = (0.0, *(float(round(64 * (1 + math.log(count)))) for count in range(1, _MOST_COUNTED + 1)))
"""What a count weighs, in 64ths."""
_ONCE = (-2.0, -1.0, 2.0, 1.0)
"""What a feature weighs, by its two lowest bits: a word as much as two of its pieces, with the feature's sign."""


def words(text: str) -> list[str]:
    """Return the words of a text as they are compared: letters and digits in one case, each other sign by itself.

    Compatibility forms are made equal (Unicode NFKC) and case is folded; a run longer than 64 characters is cut.
    """
    return _words(text.lower() if text.isascii() else unicodedata.normalize("NFKC", text).casefold())


def unit(numbers: Sequence[float]) -> "array[float]":
    """Return a vector of the same direction and of length 1; a vector of zeros stays one."""
    length = math.sqrt(sum(map(mul, numbers, numbers)))
    return array("f", [number / length for number in numbers] if length else numbers)


class HashEmbedder:
    """Embeds texts of words; it remembers the features of words it has met, a bounded number of them.

    May be used from several threads at once.
    """

    def __init__(self) -> None:
        self._features = _Features()

    def embed(self, text: Sequence[str], size: int) -> "array[float]":
        """Return the vector of a text of :func:`words`, ``size`` 32-bit floats of length 1."""
        found = self._features
        counts = Counter(chain.from_iterable([found[word] for word in text or ("",)]))
        sums = [0.0] * size
        for feature, count in counts.items():
            weight = _LOGS[count] if count < _MOST_COUNTED else _LOGS[-1]
            sums[(feature >> 2) % size] += weight * _ONCE[feature & 3]
        if not any(sums):  # everything cancelled out, as may happen in very few dimensions
            sums[min(counts) % size] = 1.0
        return unit(sums)


class _Features(dict[str, tuple[int, ...]]):
    """Words to their features: numbers of which the two lowest bits choose the weight and the rest the place."""

    def __missing__(self, word: str) -> tuple[int, ...]:
        found = tuple(_features(word))
        if len(self) >= _REMEMBERED:
            self.clear()
        self[word] = found
        return found


def _features(word: str) -> Iterator[int]:
    yield _feature(f"={word}", _WORD)
    if len(word) > 1:
        framed = f"<{word}>"
        for start in range(len(framed) - 2):
            yield _feature(framed[start : start + 3], _PIECE)
        if not word.isascii():  # scripts without spaces between words have short words
            for start in range(len(word) - 1):
                yield _feature(word[start : start + 2], _PIECE)


def _feature(text: str, kind: int) -> int:
    # A CRC of similar texts differs in a pattern; the multiplication scatters it over the bits that choose the place.
    return ((crc32(text.encode("utf-8", "surrogatepass")) * _MIX & (1 << 64) - 1) >> 23) << 1 | kind
