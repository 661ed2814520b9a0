"""Frames from chunks: every split gives the same frames, and every byte is kept."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.errors import BadAnswer
from antiphon.wires.sse import SSESplitter, read_data

STREAM = (
    b'data: {"a":1}\n\n: comment\n\nevent: x\ndata: {"b":\ndata: 2}\n\n'
    b"data:tight\n\nid: 7\nretry: 1\n\ndata: [DONE]\n\n"
)
DATA = [b'{"a":1}', None, b'{"b":\n2}', b"tight", None, b"[DONE]"]


def split_frames(chunks: list[bytes]) -> list[bytes]:
    splitter = SSESplitter()
    out = [frame for chunk in chunks for frame in splitter.feed(chunk)]
    assert b"".join(out) + bytes(splitter.rest) == b"".join(chunks)
    return out


def read_all_data(chunks: list[bytes]) -> list[bytes | None]:
    """Return the data of each frame, except those that are only the second half of a CRLF."""
    return [read_data(frame) for frame in split_frames(chunks) if frame.strip(b"\r\n")]


@pytest.mark.parametrize("eol", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
def test_every_split_gives_the_same_frames(eol: bytes, bom: bytes) -> None:
    stream = bom + STREAM.replace(b"\n", eol) + b": end\n\n"
    for cut in range(len(stream) + 1):
        assert read_all_data([stream[:cut], stream[cut:]])[:6] == DATA, cut
    assert read_all_data([stream[i : i + 1] for i in range(len(stream))])[:6] == DATA


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_mixed_line_ends_and_random_chunks(data: st.DataObject) -> None:
    stream = b""
    for line in STREAM.split(b"\n")[:-1]:
        # LF after CR is one line end, not two, so an empty line after CR must not end in LF alone.
        merges = not line and stream.endswith(b"\r")
        ends = st.sampled_from([b"\r", b"\r\n"] if merges else [b"\n", b"\r\n", b"\r"])
        stream += line + data.draw(ends)
    stream += b": end\n\n"
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    chunks = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert [item for item in read_all_data(chunks) if item is not None] == [item for item in DATA if item is not None]


def test_a_million_tiny_chunks_cost_linear_time() -> None:
    splitter = SSESplitter()
    for _ in range(200_000):
        assert splitter.feed(b"x") == []
    assert splitter.feed(b"\n\n") == [b"x" * 200_000 + b"\n\n"]


def test_an_endless_line_is_refused() -> None:
    splitter = SSESplitter(limit=1000)
    with pytest.raises(BadAnswer, match="1000 bytes"):
        for _ in range(100):
            splitter.feed(b"data: " + b"x" * 50)
    with pytest.raises(BadAnswer, match="1000 bytes"):
        SSESplitter(limit=1000).feed(b"data: " + b"x" * 5000 + b"\n\n")


def read_lines(frame: bytes) -> bytes | None:
    """Return the data of a frame, read line by line as the standard describes."""
    lines = re.split(rb"\r\n|\n|\r", frame)
    data = [line[5:].removeprefix(b" ") for line in lines if line.startswith(b"data:")]
    return b"\n".join(data) if data else None


LINES = [b"data: x", b"data:x", b"data: ", b"data:", b"event: e", b"event:data: y", b": c", b"id: 1", b"x", b""]


@settings(max_examples=2000, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(LINES), st.sampled_from([b"\n", b"\r\n", b"\r"])), min_size=1, max_size=5))
def test_usual_frames_are_read_as_any_other_frame(lines: list[tuple[bytes, bytes]]) -> None:
    frame = b"".join(line + end for line, end in lines)
    assert read_data(frame) == read_lines(frame)
    assert read_data(frame + b"\n") == read_lines(frame + b"\n")


@settings(max_examples=2000, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(LINES), st.sampled_from([b"\n", b"\r\n"])), min_size=1, max_size=8))
def test_a_chunk_gives_the_same_frames_as_its_bytes_one_by_one(lines: list[tuple[bytes, bytes]]) -> None:
    chunk = b"".join(line + end for line, end in lines)
    whole = [read_lines(frame) for frame in split_frames([chunk])]
    single = [read_lines(frame) for frame in split_frames([chunk[at : at + 1] for at in range(len(chunk))])]
    assert [data for data in whole if data is not None] == [data for data in single if data is not None]
