"""The hashing embedder: words and pieces of words, hashed into a vector. It needs no model and knows no meaning.

Texts are near each other if they share words, or words of similar spelling. The result is bit for bit the same on every
machine: all sums are of whole numbers, and square root and division are exactly rounded (IEEE 754 section 5.4.1).
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

_find_words = re.compile(r"\w{1,64}|[^\w\s]").findall
_MAX_CACHED_WORDS = 32_768
_MULTIPLIER = 0x9E3779B97F4A7C15
_WORD, _PIECE = 0, 1
_MAX_COUNT = 1024
_COUNT_WEIGHTS = (0.0, *(float(round(64 * (1 + math.log(count)))) for count in range(1, _MAX_COUNT + 1)))
"""The weight of a count, in 64ths."""
_FEATURE_WEIGHTS = (-2.0, -1.0, 2.0, 1.0)
"""The weight of a feature by its two lowest bits: a word has twice the weight of a piece, with the feature's sign."""


def split_words(text: str) -> list[str]:
    """Return the words of a text as they are compared: letters and digits in one case, each other sign by itself.

    Compatibility forms are made equal (Unicode NFKC) and case is folded; a word of over 64 characters is cut.
    """
    return _find_words(text.lower() if text.isascii() else unicodedata.normalize("NFKC", text).casefold())


def normalize(numbers: Sequence[float]) -> "array[float]":
    """Return a vector of the same direction and of length 1; a vector of zeros stays unchanged."""
    length = math.sqrt(sum(map(mul, numbers, numbers)))
    return array("f", [number / length for number in numbers] if length else numbers)


class HashEmbedder:
    """Embeds texts; it caches the features of a bounded number of words.

    Several threads may use it at once.
    """

    def __init__(self) -> None:
        self._features = _FeatureCache()

    def embed(self, words: Sequence[str], size: int) -> "array[float]":
        """Return the vector of a text of :func:`split_words`: ``size`` 32-bit floats of length 1."""
        features = self._features
        counts = Counter(chain.from_iterable([features[word] for word in words or ("",)]))
        sums = [0.0] * size
        for feature, count in counts.items():
            weight = _COUNT_WEIGHTS[count] if count < _MAX_COUNT else _COUNT_WEIGHTS[-1]
            sums[(feature >> 2) % size] += weight * _FEATURE_WEIGHTS[feature & 3]
        if not any(sums):  # in very few dimensions everything may cancel out
            sums[min(counts) % size] = 1.0
        return normalize(sums)


class _FeatureCache(dict[str, tuple[int, ...]]):
    """Maps words to features: numbers whose two lowest bits choose the weight and whose other bits choose the place."""

    def __missing__(self, word: str) -> tuple[int, ...]:
        features = tuple(_iterate_features(word))
        if len(self) >= _MAX_CACHED_WORDS:
            self.clear()
        self[word] = features
        return features


def _iterate_features(word: str) -> Iterator[int]:
    yield _hash_feature(f"={word}", _WORD)
    if len(word) > 1:
        marked = f"<{word}>"
        for start in range(len(marked) - 2):
            yield _hash_feature(marked[start : start + 3], _PIECE)
        if not word.isascii():  # scripts without spaces between words have short words
            for start in range(len(word) - 1):
                yield _hash_feature(word[start : start + 2], _PIECE)


def _hash_feature(text: str, kind: int) -> int:
    # The CRCs of similar texts differ in a pattern; the multiplication scatters it over the bits that choose the place.
    return ((crc32(text.encode("utf-8", "surrogatepass")) * _MULTIPLIER & (1 << 64) - 1) >> 23) << 1 | kind
