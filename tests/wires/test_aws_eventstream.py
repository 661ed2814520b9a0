"""Event stream framing: any split, any corruption, every header type, compared with botocore's decoder."""

import struct
import uuid
from datetime import UTC, datetime
from itertools import pairwise
from zlib import crc32

import pytest
from botocore.eventstream import EventStreamBuffer
from hypothesis import given
from hypothesis import strategies as st

from antiphon.errors import BadAnswer
from antiphon.wires.aws.eventstream import (
    EventStreamSplitter,
    MessageReader,
    encode_headers,
    encode_message,
    read_headers,
    split_message,
)

texts = st.text(max_size=20).filter(lambda text: text.encode("utf-8", "ignore").decode() == text)
names = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=20)
messages = st.tuples(st.dictionaries(names, texts, max_size=4), st.binary(max_size=60))
EVENT = encode_headers([(":event-type", "contentBlockDelta"), (":message-type", "event")])


def encode_pair(message):
    headers, payload = message
    return encode_message(encode_headers(headers.items()), payload)


def encode_raw(headers: bytes, payload: bytes = b"", *, total=None, size=None) -> bytes:
    lengths = struct.pack(
        ">II", 16 + len(headers) + len(payload) if total is None else total, len(headers) if size is None else size
    )
    start = lengths + struct.pack(">I", crc32(lengths)) + headers + payload
    return start + struct.pack(">I", crc32(start))


@given(st.lists(messages, max_size=5), st.lists(st.integers(0, 400), max_size=12))
def test_any_split_gives_the_same_messages(sent, cuts):
    stream = b"".join(map(encode_pair, sent))
    places = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    splitter, reader = EventStreamSplitter(), MessageReader()
    frames = [frame for a, b in pairwise(places) for frame in splitter.feed(stream[a:b])]
    assert b"".join(frames) == stream
    assert not splitter.rest
    read = [reader.read(frame) for frame in frames]
    assert [(message.headers, message.payload) for message in read] == sent


@given(st.lists(messages, max_size=4))
def test_botocore_reads_our_messages(sent):
    buffer = EventStreamBuffer()
    buffer.add_data(b"".join(map(encode_pair, sent)))
    assert [(event.headers, event.payload) for event in buffer] == sent


def test_every_single_byte_of_corruption_is_detected():
    message = encode_message(EVENT, b'{"contentBlockIndex":0,"delta":{"text":"Hi"}}')
    for place in range(len(message)):
        for flip in (0x01, 0x80, 0xFF):
            broken = bytearray(message)
            broken[place] ^= flip
            with pytest.raises(BadAnswer):
                EventStreamSplitter().feed(bytes(broken))


def test_an_unfinished_message_stays_in_rest():
    message = encode_message(EVENT, b"{}")
    for cut in range(len(message)):
        splitter = EventStreamSplitter()
        assert splitter.feed(message[:cut]) == []
        assert bytes(splitter.rest) == message[:cut]
        assert splitter.feed(message[cut:]) == [message]


def test_every_type_of_header_is_read_as_botocore_reads_it():
    moment, unique = 1_700_000_000_123, uuid.UUID("01234567-89ab-cdef-0123-456789abcdef")
    values = [
        ("yes", 0, b"", True),
        ("no", 1, b"", False),
        ("byte", 2, b"\xff", -1),
        ("short", 3, struct.pack(">h", -300), -300),
        ("int", 4, struct.pack(">i", 70_000), 70_000),
        ("long", 5, struct.pack(">q", -(2**40)), -(2**40)),
        ("bytes", 6, b"\x00\x03abc", b"abc"),
        ("string", 7, b"\x00\x06" + "grüß".encode(), "grüß"),
        ("time", 8, struct.pack(">q", moment), datetime.fromtimestamp(moment / 1000, UTC)),
        ("uuid", 9, unique.bytes, unique),
    ]
    block = b"".join(bytes([len(name)]) + name.encode() + bytes([kind]) + data for name, kind, data, _ in values)
    expected = {name: value for name, _, _, value in values}
    assert read_headers(block) == expected
    buffer = EventStreamBuffer()
    buffer.add_data(encode_raw(block))
    (theirs,) = buffer
    assert theirs.headers == expected | {"time": moment, "uuid": unique.bytes}


@pytest.mark.parametrize(
    "block",
    [
        b"\x01a\x0a",  # no such type
        b"\x01a\x07\x00\x05abc",  # a value cut short
        b"\x01a\x07\x00",  # a length cut short
        b"\x05ab",  # a name cut short
        b"\x01a",  # no type
        b"\x00\x00",  # an empty name
        b"\x01a\x00\x01a\x01",  # the same name twice
        b"\x01\xff\x00",  # a name that is not UTF-8
        b"\x01a\x07\x00\x01\xff",  # a value that is not UTF-8
        b"\x01a\x08\x7f\xff\xff\xff\xff\xff\xff\xff",  # a time beyond the calendar
        b"\x01a\x09abc",  # a UUID cut short
    ],
)
def test_invalid_headers_are_a_bad_answer(block):
    (frame,) = EventStreamSplitter().feed(encode_raw(block))
    with pytest.raises(BadAnswer, match="headers that cannot be read"):
        MessageReader().read(frame)


@pytest.mark.parametrize(
    "frame",
    [
        encode_raw(b"", total=15),
        encode_raw(b"", total=16, size=1),
        encode_raw(b"", total=2**31, size=2**20),
        encode_raw(b"", total=17 * 2**20),
    ],
)
def test_impossible_lengths_are_refused_from_the_prelude(frame):
    with pytest.raises(BadAnswer):
        EventStreamSplitter().feed(frame[:12])


def test_the_limit_counts_whole_messages():
    message = encode_message(b"", b"x" * 100)
    assert EventStreamSplitter(limit=len(message)).feed(message) == [message]
    with pytest.raises(BadAnswer, match="more than 115 bytes"):
        EventStreamSplitter(limit=len(message) - 1).feed(message)


@given(st.binary(max_size=80))
def test_random_bytes_only_raise_bad_answer(data):
    for attempt in (EventStreamSplitter().feed, MessageReader().read, read_headers, split_message):
        try:
            attempt(data)
        except BadAnswer:
            continue


def test_the_cache_of_headers_is_limited():
    reader = MessageReader()
    for number in range(500):
        message = reader.read(encode_message(encode_headers([("n", str(number))]), b""))
        assert message.get_text("n") == str(number)
    assert len(reader._headers) <= 64


def test_get_text_of_a_header_of_another_type_is_empty():
    (frame,) = EventStreamSplitter().feed(encode_raw(b"\x01a\x00"))
    message = MessageReader().read(frame)
    assert (message.get_text("a"), message.get_text("b")) == ("", "")
