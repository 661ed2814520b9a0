"""The end of an answer: every cut is reported, every split gives the same bytes, every false length is refused."""

import asyncio
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.errors import BadAnswer, Disconnected, Truncated
from transport.conftest import Client
from transport.misbehaving import (
    Peer,
    Server,
    answer_with,
    turn,
    write_chunked_answer,
    write_chunks,
    write_close_answer,
    write_length_answer,
)

BODY = b'{"id": 1}\r\n\r\nHTTP/1.1 500 No\r\n'
ANSWERS = {
    "length": write_length_answer(BODY, b"X-Two: 2"),
    "chunked": write_chunked_answer(BODY[:7], BODY[7:8], BODY[8:]),
    "trailers": write_chunked_answer(BODY)[:-2] + b"X-Trailer: t\r\n\r\n",
    "close": write_close_answer(BODY),
}
ENDS = {"close": Peer.close, "half": Peer.shut_down_sending, "reset": Peer.reset}


def count_needed_bytes(kind: str) -> int:
    """Return how many bytes make an answer complete."""
    answer = ANSWERS[kind]
    return answer.index(b"\r\n\r\n") + 4 if kind == "close" else len(answer)


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("kind", ANSWERS)
async def test_cut_at_every_offset_is_never_a_silent_short_body(client: Client, kind: str, end: str) -> None:
    answer = ANSWERS[kind]
    offset = 0

    async def serve(peer: Peer) -> None:
        await peer.read_request()
        await peer.send_pieces([answer[:offset]])
        ENDS[end](peer)
        if end == "half":
            await peer.receive()

    async with Server(serve) as server:
        for offset in range(len(answer)):
            try:
                body = await client.ask(server.origin)
            except (Truncated, Disconnected, BadAnswer) as error:
                whole_head = offset >= answer.index(b"\r\n\r\n") + 4
                assert type(error) is (Truncated if whole_head else Disconnected), offset
            else:
                assert kind == "close", f"a cut at {offset} passed for a whole answer"
                assert end != "reset"
                assert body == BODY[: len(BODY) + offset - len(answer)]


@pytest.mark.parametrize("kind", ANSWERS)
async def test_split_at_every_byte_gives_the_same_answer(client: Client, kind: str) -> None:
    answer = ANSWERS[kind]
    pieces: list[bytes] = []

    async def serve(peer: Peer) -> None:
        while await peer.read_request():
            await peer.send_pieces(pieces)
            if kind == "close":
                return

    async with Server(serve) as server:
        for offset in range(1, len(answer)):
            pieces = [answer[:offset], answer[offset:]]
            assert await client.ask(server.origin) == BODY
        pieces = [answer[at : at + 1] for at in range(len(answer))]
        response = await client.send(server.origin)
        assert (response.status, response.headers[-1][0][:2]) == (
            200,
            {"close": b"co", "length": b"x-"}.get(kind, b"tr"),
        )
        assert await response.read(1000) == BODY


@st.composite
def draw_answer(draw: st.DrawFn) -> tuple[bytes, bytes, list[int]]:
    """Draw a body, an answer that has it in some framing, and places to split the answer."""
    body = draw(st.binary(max_size=400))
    kind = draw(st.sampled_from(("length", "chunked", "close")))
    if kind == "length":
        raw = write_length_answer(body)
    elif kind == "close":
        raw = write_close_answer(body)
    else:
        cuts = sorted(draw(st.sets(st.integers(1, max(1, len(body) - 1)), max_size=12))) if body else []
        chunks = [body[a:b] for a, b in pairwise([0, *cuts, len(body)]) if a != b]
        raw = write_chunked_answer(*chunks, fields=(b"X-Pad: " + b"p" * draw(st.integers(0, 40)),))
    return body, raw, sorted(draw(st.sets(st.integers(1, len(raw) - 1), max_size=20)))


@settings(deadline=None, max_examples=60)
@given(case=draw_answer(), coalesce=st.booleans())
async def test_any_framing_and_any_split_give_the_same_bytes(
    case: tuple[bytes, bytes, list[int]], coalesce: bool
) -> None:
    body, raw, cuts = case
    pieces = [raw[a:b] for a, b in pairwise([0, *cuts, len(raw)])]
    client = Client()
    async with Server(answer_with(pieces, then=Peer.close)) as server:
        response = await client.send(server.origin)
        if coalesce:
            assert await response.read(1000) == body
        else:
            got = b""
            while piece := await response.read_chunk():
                got += piece
            assert got == body
    await client.transport.close()


HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
REFUSED = {
    "length and chunked": HEAD + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
    "chunked and length": HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n1\r\nx\r\n0\r\n\r\n",
    "two lengths": HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nxy",
    "list of lengths": HEAD + b"Content-Length: 1, 2\r\n\r\nxy",
    "negative length": HEAD + b"Content-Length: -1\r\n\r\nx",
    "signed length": HEAD + b"Content-Length: +1\r\n\r\nx",
    "hexadecimal length": HEAD + b"Content-Length: 0x1\r\n\r\nx",
    "empty length": HEAD + b"Content-Length:\r\n\r\nx",
    "huge length": HEAD + b"Content-Length: 99999999999999999999999\r\n\r\nx",
    "two codings": HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "two coding lines": HEAD + b"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunked twice": HEAD + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "coding after chunked": HEAD + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
    "unknown coding": HEAD + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "identity coding": HEAD + b"Transfer-Encoding: identity\r\n\r\nx",
    "bare line feeds": b"HTTP/1.1 200 OK\nContent-Length: 1\n\nx",
    "one bare line feed": HEAD + b"A: b\nContent-Length: 1\r\n\r\nx",
    "bare carriage return": HEAD + b"A: b\rContent-Length: 1\r\n\r\nx",
    "folded field": HEAD + b"A: b\r\n c\r\nContent-Length: 1\r\n\r\nx",
    "space before colon": HEAD + b"Content-Length : 1\r\n\r\nx",
    "field without colon": HEAD + b"nonsense\r\nContent-Length: 1\r\n\r\nx",
    "NUL in a value": HEAD + b"A: b\0c\r\nContent-Length: 1\r\n\r\nx",
    "HTTP/2": b"HTTP/2 200\r\nContent-Length: 1\r\n\r\nx",
    "HTTP/1.2": b"HTTP/1.2 200 OK\r\nContent-Length: 1\r\n\r\nx",
    "no HTTP": b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
    "HTML": b"<html>Bad gateway</html>",
    "status of two digits": b"HTTP/1.1 20 OK\r\nContent-Length: 1\r\n\r\nx",
    "status 099": b"HTTP/1.1 099 OK\r\nContent-Length: 1\r\n\r\nx",
    "status 600": b"HTTP/1.1 600 OK\r\nContent-Length: 1\r\n\r\nx",
    "switch of protocols": b"HTTP/1.1 101 Go\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nabc",
    "negative chunk": CHUNKED + b"-1\r\nx\r\n0\r\n\r\n",
    "prefixed chunk": CHUNKED + b"0x1\r\nx\r\n0\r\n\r\n",
    "spaced chunk": CHUNKED + b"1 \r\nx\r\n0\r\n\r\n",
    "no hexadecimal chunk": CHUNKED + b"g\r\nx\r\n0\r\n\r\n",
    "huge chunk": CHUNKED + b"fffffffffffffffffff\r\nx\r\n0\r\n\r\n",
    "short chunk": CHUNKED + b"2\r\nx\r\n0\r\n\r\n",
    "long chunk": CHUNKED + b"1\r\nxx\r\n0\r\n\r\n",
    "chunk line ends": CHUNKED + b"1\nx\n0\n\n",
    "empty chunk size": CHUNKED + b"\r\nx\r\n",
    "line feed in an extension": CHUNKED + b"1;a=\nb\r\nx\r\n0\r\n\r\n",
    "bad trailer": CHUNKED + b"0\r\nno trailer\r\n\r\n",
}


@pytest.mark.parametrize("case", REFUSED)
async def test_false_framing_is_refused_and_the_connection_never_used_again(client: Client, case: str) -> None:
    async with Server(answer_with(REFUSED[case])) as server:
        for _ in range(2):
            with pytest.raises(BadAnswer) as caught:
                await client.ask(server.origin)
            assert str(server.origin) in caught.value.message
        assert len(server.peers) == 2
        await server.peers[1].gone.wait()


EXTRA = {
    "a second answer": write_length_answer(b"x") * 2,
    "a byte": write_length_answer(b"x") + b"y",
    "a line end": write_length_answer(b"x") + b"\r\n",
    "a line end after chunks": write_chunked_answer(b"x") + b"\r\n",
    "a byte after chunks": write_chunked_answer(b"x") + b"y",
    "an answer after chunks": write_chunked_answer(b"x") * 2,
    "the start of an answer": write_length_answer(b"x") + HEAD,
    "the start of an answer after chunks": write_chunked_answer(b"x") + HEAD,
    "the head of an answer after chunks": write_chunked_answer(b"x") + HEAD + b"\r\n",
    "an interim answer after chunks": write_chunked_answer(b"x") + b"HTTP/1.1 100 Continue\r\n\r\n",
    "a body with 204": write_length_answer(b"x", status=b"204 No Content"),
    "a body with 304": write_length_answer(b"x", status=b"304 Not Modified"),
}


@pytest.mark.parametrize("when", ["at once", "before it is read", "after it was read"])
@pytest.mark.parametrize("case", EXTRA)
async def test_bytes_after_the_end_are_never_read_as_an_answer(client: Client, case: str, when: str) -> None:
    raw = EXTRA[case]
    whole = write_chunked_answer(b"x") if "chunks" in case else write_length_answer(b"x")
    end = raw.index(b"\r\n\r\n") + 4 if "with" in case else len(whole)
    go_on = asyncio.Event()

    async def serve(peer: Peer) -> None:
        await peer.read_request()
        if when == "at once":
            await peer.send(raw)
        else:
            await peer.send(raw[:end])
            await go_on.wait()
            await peer.send(raw[end:])
        await peer.receive()

    async with Server(serve) as server:
        for number in range(1, 3):
            go_on.clear()
            response = await client.send(server.origin)
            if when == "before it is read":
                go_on.set()
                await turn(20)
            assert await response.read(10) == (b"" if "with" in case else b"x")
            response.close()
            go_on.set()
            await server.peers[-1].gone.wait()
            assert len(server.peers) == number


@pytest.mark.parametrize(
    ("answer", "kept"),
    [
        (write_length_answer(b"x"), True),
        (write_length_answer(b""), True),
        (
            write_length_answer(b"", status=b"204 No Content")[:-2].replace(b"Content-Length: 0\r\n", b"") + b"\r\n",
            True,
        ),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 500\r\n\r\n", True),
        (write_chunked_answer(b"x"), True),
        (ANSWERS["trailers"], True),
        (write_length_answer(b"x", b"Connection: close"), False),
        (write_length_answer(b"x", b"Connection: Keep-Alive, Close"), False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", False),
        (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nx", True),
        (b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + write_chunks(b"x"), False),
    ],
)
async def test_a_connection_is_kept_as_the_answer_says(client: Client, answer: bytes, kept: bool) -> None:
    async with Server(answer_with(answer)) as server:
        for _ in range(3):
            await client.ask(server.origin)
        assert len(server.peers) == (1 if kept else 3)


async def test_an_old_server_ends_its_answer_by_closing(client: Client) -> None:
    async with Server(answer_with(b"HTTP/1.0 200 OK\r\n\r\nold", then=Peer.close)) as server:
        assert await client.ask(server.origin) == b"old"


async def test_interim_answers_are_skipped_and_bounded(client: Client) -> None:
    hint = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
    interims = [
        b"HTTP/1.1 100 Continue\r\n\r\n" + hint,
        b"HTTP/1.1 102 Processing\r",
        b"\n\r\n",
        write_length_answer(b"x"),
    ]
    async with Server(
        answer_with(interims, hint * 8 + write_length_answer(b"y"), hint * 9 + write_length_answer(b"z"))
    ) as server:
        response = await client.send(server.origin)
        assert response.headers == [(b"content-length", b"1")]
        assert await response.read(10) == b"x"
        assert await client.ask(server.origin) == b"y"
        with pytest.raises(BadAnswer, match="interim"):
            await client.ask(server.origin)
        assert len(server.peers) == 1


async def test_trailers_never_become_headers(client: Client) -> None:
    async with Server(answer_with(ANSWERS["trailers"])) as server:
        response = await client.send(server.origin)
        await response.read(1000)
        assert response.headers == [(b"transfer-encoding", b"chunked")]


CAPS = {
    "a long field": HEAD + b"A: " + b"a" * 40_000 + b"\r\n\r\n",
    "a field without end": HEAD + b"A: " + b"a" * 1_000_000,
    "a status line without end": b"HTTP/1.1 200 " + b"a" * 1_000_000,
    "many fields": HEAD + b"A: b\r\n" * 101 + b"Content-Length: 0\r\n\r\n",
    "many fields without end": HEAD + b"A: b\r\n" * 100_000,
    "a chunk extension without end": CHUNKED + b"1;" + b"a" * 1_000_000,
    "trailers without end": CHUNKED + b"1\r\nx\r\n0\r\n" + b"A: b\r\n" * 200_000,
    "a chunk size without end": CHUNKED + b"0" * 1_000_000,
}


@pytest.mark.parametrize("case", CAPS)
async def test_every_part_of_an_answer_is_bounded(client: Client, case: str) -> None:
    async with Server(answer_with(CAPS[case])) as server:
        with pytest.raises(BadAnswer):
            await client.ask(server.origin)
        await server.peers[0].gone.wait()


async def test_the_largest_allowed_head_is_read(make_client: Callable[..., Client]) -> None:
    client = make_client(head_limit=2000, field_limit=3)
    fits = write_length_answer(b"x", b"A: b", b"C: d")
    fits = fits.replace(b"C: d", b"C: " + b"d" * (2000 - len(fits) + 2))
    async with Server(answer_with(fits, fits.replace(b"C: d", b"C: dd"))) as server:
        assert await client.ask(server.origin) == b"x"
        with pytest.raises(BadAnswer, match="more than 2000 bytes"):
            await client.ask(server.origin)
