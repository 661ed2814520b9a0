"""Streamed forms: any split gives the same bytes and the same model; ambiguous forms are refused."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.engine.upload import Upload
from antiphon.errors import BadRequest, UnsupportedMedia
from antiphon.wires.operations.form import CLOSE, HEAD_LIMIT, MODEL, FormReader, read_boundary

HEAD = b'Content-Disposition: form-data; name="%b"'


def write_part(name: bytes, value: bytes, more: bytes = b"") -> bytes:
    return b"--b\r\n" + HEAD % name + more + b"\r\n\r\n" + value + b"\r\n"


def feed_form(body: bytes, cuts: list[int] | None = None) -> tuple[bytes, list[bytes], int]:
    """Return all bytes that were passed on, the models, and the place where the form was closed."""
    form, out, models, closed = FormReader(b"b"), b"", [], -1
    edges = sorted({min(cut, len(body)) for cut in cuts or []} | {0, len(body)})
    for start, end in zip(edges, [*edges[1:], len(body)], strict=True):
        for kind, data in form.feed(body[start:end]):
            if kind == MODEL:
                models.append(data)
            elif kind == CLOSE:
                closed = len(out)
            out += data
    form.end()
    return out, models, closed


FILLERS = st.lists(st.sampled_from([b"\r\n", b"--b", b"\r\n--", b"\r", b"\n", b"-", b"b", b"\0", b"x" * 100])).map(
    b"".join
)


@given(st.lists(st.tuples(st.sampled_from([b"file", b"prompt", b"model2"]), FILLERS), max_size=4), st.integers(0, 4),
       st.lists(st.integers(0, 600), max_size=12))  # fmt: skip
def test_any_split_gives_the_same_form(parts: list[tuple[bytes, bytes]], at: int, cuts: list[int]) -> None:
    parts = [(name, value) for name, value in parts if b"\r\n--b" not in b"\r\n" + value + b"\r\n"]
    pieces = [write_part(name, value, b'; filename="a"') for name, value in parts]
    pieces.insert(at, write_part(b"model", b"gpt"))
    body = b"".join(pieces) + b"--b--\r\n"
    out, models, closed = feed_form(body, cuts)
    assert (out, models) == (body, [b"gpt"])
    assert body[closed:] == b"--\r\n"


@given(st.binary(max_size=300), st.integers(0, 300))
def test_any_bytes_are_passed_on_whole_or_refused(data: bytes, cut: int) -> None:
    for body in (data, b"--b\r\n" + data, write_part(b"x", data)):
        try:
            out, _, _ = feed_form(body, [cut])
        except BadRequest:
            continue
        assert out == body


GOOD = write_part(b"model", b"gpt")
END = b"--b--\r\n"


@pytest.mark.parametrize(
    "body",
    [
        GOOD + GOOD + END,
        GOOD,
        b"preamble\r\n" + GOOD + END,
        GOOD + END + b"more",
        GOOD + END + END,
        b"--b \r\n" + HEAD % b"model" + b"\r\n\r\nx\r\n" + END,
        b"--b\n" + HEAD % b"model" + b"\n\nx\n--b--\n",
        b"--bb\r\n" + HEAD % b"model" + b"\r\n\r\nx\r\n" + END,
        GOOD[:-2] + b"\r\n--bx\r\n" + END,
        write_part(b"model", b"x", b'; filename="f"') + END,
        write_part(b"model", b"x", b"; filename*=utf-8''f") + END,
        write_part(b"model", b"x", b"\r\nContent-Transfer-Encoding: base64") + END,
        write_part(b"file", b"x", b'; name="model"') + END,
        write_part(b"file", b"x", b"; name*=utf-8''model") + END,
        write_part(b"file", b"x", b"\r\n" + HEAD % b"model") + END,
        write_part(b'mo\\"del', b"x") + END,
        write_part(b"mo\\del", b"x") + END,
        b"--b\r\n\r\nx\r\n" + END,
        b"--b\r\nContent-Type: text/plain\r\n\r\nx\r\n" + END,
        b"--b\r\nContent-Disposition: attachment; name=model\r\n\r\nx\r\n" + END,
        b"--b\r\n" + HEAD % b"x" + b"\r\n folded: 1\r\n\r\nx\r\n" + END,
        b"--b\r\n" + HEAD % b"x" + b"\nContent-Type: a\r\n\r\nx\r\n" + END,
        b"--b\r\n" + HEAD % b"x" + b"\r\nx: " + b"y" * HEAD_LIMIT + b"\r\n\r\nx\r\n" + END,
        write_part(b"model", b"y" * 2000) + END,
        write_part(b"x", b"") * 1001 + END,
    ],
)
def test_ambiguous_forms_are_refused(body: bytes) -> None:
    for cuts in ([], list(range(0, len(body), 7))):
        with pytest.raises(BadRequest) as refusal:
            feed_form(body, cuts)
        assert refusal.value.status == 400


@pytest.mark.parametrize(
    "head",
    [
        b"content-disposition:form-data;name=model",
        b'Content-Disposition: FORM-DATA; NAME="model" ',
        b'Content-Type: text/plain\r\nContent-Disposition: form-data; x=1; name="model"',
    ],
)
def test_other_spellings_of_a_header_are_read(head: bytes) -> None:
    body = b"--b\r\n" + head + b"\r\n\r\ngpt\r\n" + END
    assert feed_form(body) == (body, [b"gpt"], len(body) - 4)


def test_the_last_line_end_may_be_missing() -> None:
    assert feed_form(GOOD + b"--b--")[:2] == (GOOD + b"--b--", [b"gpt"])


def test_a_file_may_have_any_name() -> None:
    names = ['a"b', "größe.wav", "C:\\\\x.wav", "model", ";name=model"]
    for name in names:
        quoted = name.replace('"', "%22").encode()
        assert feed_form(write_part(b"file", b"x", b'; filename="' + quoted + b'"') + GOOD + END)[1] == [b"gpt"]


def test_data_is_passed_on_at_once() -> None:
    form = FormReader(b"b")
    form.feed(b"--b\r\n" + HEAD % b"file" + b"\r\n\r\n")
    for _ in range(100):
        passed = sum(len(data) for _, data in form.feed(b"\r\n--" * 1000))
        assert abs(passed - 4000) < 8


@pytest.mark.parametrize(
    ("kind", "boundary"),
    [
        (b"multipart/form-data; boundary=b", b"b"),
        (b'Multipart/Form-Data;charset=utf-8; BOUNDARY="a b:c"', b"a b:c"),
        (b"multipart/form-data; boundary=" + b"x" * 70, b"x" * 70),
    ],
)
def test_the_boundary_is_read(kind: bytes, boundary: bytes) -> None:
    assert read_boundary(kind) == boundary


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (b"", 415),
        (b"multipart/mixed; boundary=b", 415),
        (b"multipart/form-data, boundary=b", 415),
        (b"multipart/form-data", 400),
        (b"multipart/form-data; boundary=b; boundary=c", 400),
        (b"multipart/form-data; boundary=" + b"x" * 71, 400),
        (b'multipart/form-data; boundary="a "', 400),
        (b'multipart/form-data; boundary=""', 400),
    ],
)
def test_other_content_types_are_refused(kind: bytes, status: int) -> None:
    with pytest.raises((UnsupportedMedia, BadRequest)) as refusal:
        read_boundary(kind)
    assert refusal.value.status == status


async def iterate_pieces(body: bytes, step: int) -> AsyncIterator[bytes]:
    for start in range(0, len(body), step):
        yield body[start : start + step]


async def read_upload(
    body: bytes, step: int, length: int | None, named: str, model: str
) -> tuple[str, int | None, bytes]:
    upload = Upload(iterate_pieces(body, step), length, FormReader(b"b"), named)
    found = await upload.read_model()
    announced = upload.count_bytes(model)
    return found, announced, b"".join([piece async for piece in upload.start(model, lambda: None)])


@given(st.sampled_from(["m", "a-longer-name/größe"]), st.integers(1, 400), st.booleans(), st.booleans(), FILLERS)
def test_an_upload_is_the_same_form_with_another_model(
    model: str, step: int, first: bool, known: bool, filler: bytes
) -> None:
    file = write_part(b"file", filler, b'; filename="a"') if b"\r\n--b" not in b"\r\n" + filler + b"\r\n" else b""
    ours, theirs = write_part(b"model", b"gpt"), write_part(b"model", model.encode())
    body = (ours + file if first else file + ours) + END
    expected = (theirs + file if first else file + theirs) + END
    length = len(body) if known else None
    assert asyncio.run(read_upload(body, step, length, "", model)) == (
        "gpt",
        len(expected) if known else None,
        expected,
    )
    assert asyncio.run(read_upload(body, step, length, "x", model)) == ("x", None, expected)
    assert asyncio.run(read_upload(file + END, step, length, "x", model)) == ("x", None, file + theirs + END)
