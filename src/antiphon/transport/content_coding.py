"""Decodes content codings piece by piece: one block of output at a time, up to a total cap."""

import zlib

from antiphon.errors import BadAnswer, Truncated

BLOCK = 64 * 1024
"""The most bytes that one step returns, however far the input would expand."""

_WINDOW = {b"gzip": 31, b"x-gzip": 31, b"deflate": 15}
_RAW = -15


def make_decoder(coding: bytes, cap: int) -> "Decoder | None":
    """Return the decoder for a ``content-encoding``, ``None`` for identity; raises ``BadAnswer`` for any other."""
    name = coding.strip().lower()
    if name in (b"", b"identity"):
        return None
    if name not in _WINDOW:
        raise BadAnswer(
            f"The answer has content encoding {coding[:40]!r}, which is not read; gzip, deflate or none was expected."
        )
    return Decoder(name, cap)


class Decoder:
    """Decodes gzip (also with several members) or deflate (with or without its zlib wrapper).

    ``cap`` bounds the decoded size in bytes; one byte more raises :class:`~antiphon.errors.BadAnswer`.
    """

    __slots__ = ("_cap", "_inflate", "_name", "_rest", "_started", "_total", "pending")

    def __init__(self, name: bytes, cap: int) -> None:
        self._name = name
        self._cap = cap
        self._inflate = zlib.decompressobj(_WINDOW[name])
        self._rest = b""
        self._started = False
        self._total = 0
        self.pending = False
        """Whether there is more output without more input."""

    def step(self, data: bytes = b"") -> bytes:
        """Take ``data`` and return at most ``BLOCK`` decoded bytes; while ``pending``, call again without data."""
        data = self._rest + data if self._rest else data
        self._rest = b""
        if not data and not self.pending:
            return b""
        if not self._started and not self._start(data):
            return b""
        try:
            out = self._inflate.decompress(data, BLOCK)
        except zlib.error as error:
            raise BadAnswer(f"The answer is not valid {self._name.decode()}: {error}.") from None
        self._total += len(out)
        if self._total > self._cap:
            raise BadAnswer(f"The answer decodes to more than {self._cap} bytes; it was not read further.")
        self._rest = self._inflate.unconsumed_tail
        if self._inflate.eof:
            self._start_next_member(self._inflate.unused_data)
        self.pending = bool(self._rest) or len(out) == BLOCK
        return out

    def finish(self) -> None:
        """Check that the coding is complete; raises ``Truncated`` if the body ended before it."""
        if self._rest or (self._started and not self._inflate.eof):
            raise Truncated(f"The answer ended in the middle of its {self._name.decode()} coding.")

    def _start(self, data: bytes) -> bool:
        """Decide by the first two bytes whether ``deflate`` means RFC 1950 (as it should) or bare RFC 1951."""
        if self._name == b"deflate":
            if len(data) < 2:
                self._rest = data
                return False
            if data[0] & 15 != 8 or (data[0] << 8 | data[1]) % 31:
                self._inflate = zlib.decompressobj(_RAW)
        self._started = True
        return True

    def _start_next_member(self, unused: bytes) -> None:
        if not unused:
            return
        if self._name == b"deflate":
            raise BadAnswer("The answer has bytes after the end of its deflate coding.")
        self._inflate = zlib.decompressobj(_WINDOW[self._name])
        self._rest = unused
