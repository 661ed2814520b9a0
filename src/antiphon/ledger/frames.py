"""The journal's format on disk: a header line, then frames of length, checksum and payload. No I/O in here.

``HEADER`` names the format's version. A frame is a little-endian u32 length, a u32 CRC-32 of the payload, and the
payload: the record as one JSON object, which a person can read and an older release can decode when a newer one has
added fields. Nothing is ever changed in place. Readers stop at the first bad frame of a segment.
"""

from struct import Struct
from zlib import crc32

import msgspec

from antiphon.types import Record

HEADER = b"antiphon journal 1\n"
PAYLOAD_LIMIT = 1 << 20
"""The longest payload in bytes. A longer one can only be a damaged length."""

PREFIX = Struct("<II")
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Record).decode


def write_frame(record: Record) -> bytes:
    """Return a record's frame; raises ``ValueError`` if the record cannot be encoded."""
    try:
        payload = _encode(record)
    except UnicodeEncodeError:
        payload = _encode(_replace_surrogates(record))
    except OverflowError as error:
        raise ValueError(str(error)) from error
    if len(payload) > PAYLOAD_LIMIT:
        raise ValueError(f"{len(payload)} bytes; at most {PAYLOAD_LIMIT} are journaled of one call")
    return PREFIX.pack(len(payload), crc32(payload)) + payload


def _replace_surrogates(record: Record) -> Record:
    """Replace characters that cannot be encoded, such as half of a surrogate pair in a provider's error text."""
    texts = {
        name: value.encode(errors="replace").decode()
        for name in Record.__struct_fields__
        if isinstance(value := getattr(record, name), str)
    }
    attempts = tuple(
        msgspec.structs.replace(attempt, error=attempt.error.encode(errors="replace").decode())
        for attempt in record.attempts
    )
    return msgspec.structs.replace(record, **{**texts, "outcome": record.outcome, "attempts": attempts})


class FrameScan:
    """Reads the frames of ``data``, which starts at byte ``offset`` of a segment, up to the first incomplete one.

    Afterwards ``end`` is the offset after the last good frame. ``fault`` is empty if the data ends there or in the
    middle of a frame (``torn`` is then the number of bytes left over); otherwise it says what is wrong at ``end``.
    """

    __slots__ = ("end", "fault", "records", "torn")

    def __init__(self, data: bytes | memoryview, offset: int, most: int = 1 << 30) -> None:
        self.records: list[Record] = []
        self.fault = ""
        self.torn = 0
        view, position, size = memoryview(data), 0, len(data)
        while position < size and len(self.records) < most:
            start = position + PREFIX.size
            if start > size:
                self.torn = size - position
                break
            length, checksum = PREFIX.unpack_from(data, position)
            stop = start + length
            if not 0 < length <= PAYLOAD_LIMIT:
                self._reject(view[position:], f"the length field says {length}")
                break
            if stop > size:
                self.torn = size - position
                break
            payload = view[start:stop]
            if crc32(payload) != checksum:
                self.fault = "the checksum does not match"
                break
            try:
                self.records.append(_decode(payload))
            except msgspec.MsgspecError as error:
                self.fault = f"the record cannot be decoded: {error}"
                break
            position = stop
        self.end = offset + position

    def _reject(self, rest: memoryview, fault: str) -> None:
        """Zeros up to the end are space that was allocated and never written: a torn tail, not a damaged one."""
        if any(rest):
            self.fault = fault
        else:
            self.torn = len(rest)
