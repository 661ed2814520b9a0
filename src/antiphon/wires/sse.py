"""Server-sent events as bytes (WHATWG HTML section 9.2): any chunks are cut into whole frames, and no byte changes.

A frame is everything up to and including a blank line. Lines end in LF, CRLF or CR, in any mix.
"""

import re

from antiphon.errors import BadAnswer

FRAME_LIMIT = 8 * 1024 * 1024
"""The longest frame in bytes; a longer one is refused, so that a stream without blank lines cannot grow memory."""

_BLANK_LINE = re.compile(rb"(?:\r\n|\n|\r(?!\n))(?:\r\n|\n|\r)")
_LINE_END = re.compile(rb"\r\n|\n|\r")
_BOM = b"\xef\xbb\xbf"
_CR = 0x0D


class SSESplitter:
    """Cuts a stream of chunks into whole frames; the beginning of an unfinished frame waits in ``rest``."""

    __slots__ = ("_limit", "_seen", "rest")

    def __init__(self, limit: int = FRAME_LIMIT) -> None:
        self.rest = bytearray()
        self._seen = 0  # how much of ``rest`` was searched, so that tiny chunks cost linear time
        self._limit = limit

    def feed(self, chunk: bytes) -> list[bytes]:
        """Return the frames that are whole now, delimiters included; raises :class:`BadAnswer` over the limit."""
        if not self.rest and len(chunk) <= self._limit:
            _, _, rest = chunk.partition(b"\n")
            if _CR in chunk:
                if rest == b"\r\n" and chunk[-4:] == b"\r\n\r\n" and chunk.count(b"\r") == 2:
                    return [chunk]
            elif rest == b"\n" or rest.partition(b"\n")[2] == b"\n":  # one line, or two: nearly every chunk
                return [chunk]
            elif chunk.endswith(b"\n\n"):
                return [frame + b"\n\n" for frame in chunk[:-2].split(b"\n\n")]
        self.rest += chunk
        return self._cut()

    def _cut(self) -> list[bytes]:
        rest, frames, start = self.rest, [], 0
        for match in _BLANK_LINE.finditer(rest, max(0, self._seen - 3)):
            frames.append(bytes(rest[start : match.end()]))
            start = match.end()
        if start:
            del rest[:start]
        self._seen = len(rest)
        if self._seen > self._limit or any(len(frame) > self._limit for frame in frames):
            raise BadAnswer(f"The provider sent an event of more than {self._limit} bytes.")
        return frames


def read_data(frame: bytes) -> bytes | None:
    """Return the frame's data lines joined by LF, or ``None`` where it has none (a comment, a bare event name)."""
    line, _, rest = frame.partition(b"\n")
    if _CR not in frame:  # nearly every frame is one data line, some with the name of the event before it
        if rest != b"\n" and line[:6] == b"event:":
            line, _, rest = rest.partition(b"\n")
        if rest == b"\n" and line[:6] == b"data: ":
            return line[6:]
    elif rest == b"\r\n" and line[:6] == b"data: " and line[-1:] == b"\r" and frame.count(b"\r") == 2:
        return line[6:-1]
    lines = []
    for line in _LINE_END.split(frame.removeprefix(_BOM)):
        if line.startswith(b"data:"):
            lines.append(line[6:] if line[5:6] == b" " else line[5:])
        elif line == b"data":
            lines.append(b"")
    return b"\n".join(lines) if lines else None


def write_frame(data: bytes) -> bytes:
    """Return one frame around data without line ends."""
    return b"data: " + data + b"\n\n"


def write_comment(text: bytes) -> bytes:
    """Return a frame that every client ignores."""
    return b": " + text + b"\n\n"
