"""Simulated tokens and filler text, always the same for the same input.

A simulated token is four code points. Counting tokens therefore costs nothing, and the tokens join to the text again.
"""

from collections.abc import Iterator

TOKEN_LENGTH = 4
"""Code points in one token."""

_LOREM = (
    "Lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod tempor incididunt ut labore et dolore "
    "magna aliqua. Ut enim ad minim veniam, quis nostrud exercitation ullamco laboris nisi ut aliquip ex ea commodo "
    "consequat. Duis aute irure dolor in reprehenderit in voluptate velit esse cillum dolore eu fugiat nulla "
    "pariatur. Excepteur sint occaecat cupidatat non proident, sunt in culpa qui officia deserunt mollit anim id est "
    "laborum. "
)


def count_tokens(text: str) -> int:
    """Return how many tokens ``text`` has."""
    return (len(text) + TOKEN_LENGTH - 1) // TOKEN_LENGTH


def split_tokens(text: str) -> Iterator[str]:
    """Return the tokens of ``text`` in order; joined they are ``text`` again."""
    return (text[start : start + TOKEN_LENGTH] for start in range(0, len(text), TOKEN_LENGTH))


def make_lorem(tokens: int) -> str:
    """Return filler text of exactly ``tokens`` tokens."""
    size = tokens * TOKEN_LENGTH
    return (_LOREM * (size // len(_LOREM) + 1))[:size]
