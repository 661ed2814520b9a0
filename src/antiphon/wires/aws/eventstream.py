"""AWS event stream encoding, ``application/vnd.amazon.eventstream`` (Smithy 2.0 specification, "Amazon Event Stream").

A message has four parts: a prelude (total length, length of the headers, CRC32 of those eight bytes), headers, payload,
and the CRC32 of everything before it. All numbers are big-endian. A header is a name, a type and a value of that type.
"""

import struct
import uuid
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import TypeAlias
from zlib import crc32

import msgspec

from antiphon.errors import BadAnswer

MESSAGE_LIMIT = 16 * 1024 * 1024
"""The longest message in bytes; a longer message is refused before it is stored."""
HEADERS_LIMIT = 128 * 1024
"""The longest header block in bytes, from the specification."""

HeaderValue: TypeAlias = bool | int | bytes | str | datetime | uuid.UUID

_PRELUDE = struct.Struct(">III")
_LENGTHS = struct.Struct(">II")
_CRC = struct.Struct(">I")
_STRING = 7
_MIN_SIZE = _PRELUDE.size + _CRC.size
_CACHE_SIZE = 64
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Message(msgspec.Struct, frozen=True, eq=False):
    """One decoded message."""

    headers: dict[str, HeaderValue]
    payload: bytes

    def get_text(self, name: str) -> str:
        """Return a header that is a string, or ``""`` if there is no header of that name and type."""
        value = self.headers.get(name)
        return value if type(value) is str else ""


class EventStreamSplitter:
    """Cuts a byte stream into whole messages and checks their checksums; ``rest`` is the unfinished message."""

    __slots__ = ("_limit", "rest")

    def __init__(self, limit: int = MESSAGE_LIMIT) -> None:
        self.rest = bytearray()
        self._limit = limit

    def feed(self, chunk: bytes) -> list[bytes]:
        """Return the messages that are whole now, unchanged.

        Raises :class:`BadAnswer` for a wrong checksum, an impossible length, or a message over the limit.
        """
        data: bytes | bytearray = chunk
        if self.rest:
            self.rest += chunk
            data = self.rest
        messages, start = [], 0
        while (end := self._find_end(data, start)) is not None:
            messages.append(_check_checksum(bytes(data[start:end])))
            start = end
        if data is self.rest:
            del self.rest[:start]
        else:
            self.rest += data[start:]
        return messages

    def _find_end(self, data: bytes | bytearray, start: int) -> int | None:
        """Return the end of the message at ``start``, or ``None`` if it is not whole."""
        if len(data) - start < _PRELUDE.size:
            return None
        total, headers, crc = _PRELUDE.unpack_from(data, start)
        if crc32(data[start : start + _LENGTHS.size]) != crc:
            raise BadAnswer("The provider sent an event whose prelude does not match its checksum.")
        if headers > HEADERS_LIMIT or total < _MIN_SIZE + headers:
            raise BadAnswer(f"The provider sent an event of impossible lengths ({total} bytes, {headers} of headers).")
        if total > self._limit:
            raise BadAnswer(f"The provider sent an event of more than {self._limit} bytes.")
        return start + total if len(data) - start >= total else None


def _check_checksum(message: bytes) -> bytes:
    if crc32(memoryview(message)[:-4]) != _CRC.unpack_from(message, len(message) - 4)[0]:
        raise BadAnswer("The provider sent an event that does not match its checksum.")
    return message


def encode_message(headers: bytes, payload: bytes) -> bytes:
    """Return one message; ``headers`` is a block made by :func:`encode_headers`."""
    lengths = _LENGTHS.pack(_MIN_SIZE + len(headers) + len(payload), len(headers))
    message = b"".join((lengths, _CRC.pack(crc32(lengths)), headers, payload))
    return message + _CRC.pack(crc32(message))


def encode_headers(headers: Iterable[tuple[str, str]]) -> bytes:
    """Return encoded string headers; a name has 1 to 255 bytes, a value up to 65,535."""
    block = bytearray()
    for name, value in headers:
        key, text = name.encode(), value.encode()
        block += struct.pack(f">B{len(key)}sBH", len(key), key, _STRING, len(text)) + text
    return bytes(block)


def split_message(message: bytes) -> tuple[bytes, bytes]:
    """Return a whole message's header block and payload; raises :class:`BadAnswer` if its lengths disagree."""
    if len(message) < _MIN_SIZE:
        raise BadAnswer("The provider sent an event too short to be one.")
    total, headers = _LENGTHS.unpack_from(message)
    end = _PRELUDE.size + headers
    if total != len(message) or end > total - _CRC.size:
        raise BadAnswer("The provider sent an event whose lengths disagree.")
    return message[_PRELUDE.size : end], message[end:-4]


class MessageReader:
    """Decodes whole messages of one stream; caches header blocks, because a stream repeats a few of them."""

    __slots__ = ("_headers",)

    def __init__(self) -> None:
        self._headers: dict[bytes, dict[str, HeaderValue]] = {}

    def read(self, message: bytes) -> Message:
        """Decode a message whose checksums the splitter has checked; raises :class:`BadAnswer`."""
        block, payload = split_message(message)
        headers = self._headers.get(block)
        if headers is None:
            headers = read_headers(block)
            if len(self._headers) < _CACHE_SIZE:
                self._headers[block] = headers
        return Message(headers, payload)


def read_headers(block: bytes) -> dict[str, HeaderValue]:
    """Return the headers of a block, which may have any type of the specification; raises :class:`BadAnswer`."""
    headers: dict[str, HeaderValue] = {}
    position = 0
    try:
        while position < len(block):
            start = position + 1
            position = start + block[position]
            name = block[start:position].decode()
            if not name or name in headers:
                raise ValueError(f"the name {name!r} is empty or stands twice")
            headers[name], position = _read_value(block, position)
    except (struct.error, ValueError, IndexError, OverflowError) as error:
        raise BadAnswer(f"The provider sent an event with headers that cannot be read: {error}.") from None
    return headers


def _read_value(block: bytes, position: int) -> tuple[HeaderValue, int]:
    """Return the typed value at ``position`` and its end."""
    value_type, position = block[position], position + 1
    if value_type in _BOOLEANS:
        return _BOOLEANS[value_type], position
    if value_type in _LENGTH_PREFIXED:
        (size,) = struct.unpack_from(">H", block, position)
        start, end = position + 2, position + 2 + size
    elif value_type in _FIXED_SIZES:
        start, end = position, position + _FIXED_SIZES[value_type]
    else:
        raise ValueError(f"type {value_type} is unknown")
    if end > len(block):
        raise ValueError("a value is cut short")
    return _READERS[value_type](block[start:end]), end


def _read_integer(data: bytes) -> int:
    return int.from_bytes(data, "big", signed=True)


_BOOLEANS = {0: True, 1: False}
_FIXED_SIZES = {2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
_LENGTH_PREFIXED = frozenset({6, _STRING})
_READERS: dict[int, Callable[[bytes], HeaderValue]] = {
    2: _read_integer,
    3: _read_integer,
    4: _read_integer,
    5: _read_integer,
    6: bytes,
    _STRING: bytes.decode,
    8: lambda data: _EPOCH + timedelta(milliseconds=_read_integer(data)),
    9: lambda data: uuid.UUID(bytes=data),
}
