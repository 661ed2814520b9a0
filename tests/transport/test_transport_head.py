"""Request heads and what a transport refuses to write; answers that are passed on without being followed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.errors import AntiphonError, CallError, TransportMisuse
from antiphon.transport.interface import Request
from antiphon.transport.request_head import build_head
from antiphon.types import Origin
from transport.conftest import Client
from transport.misbehaving import Server, answer_with, write_length_answer

ORIGIN = Origin("https", "api.provider.test", 443)


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        (ORIGIN, b"api.provider.test"),
        (Origin("http", "api.provider.test", 80), b"api.provider.test"),
        (Origin("http", "api.provider.test", 443), b"api.provider.test:443"),
        (Origin("http", "127.0.0.1", 11434), b"127.0.0.1:11434"),
        (Origin("http", "::1", 8080), b"[::1]:8080"),
        (Origin("http", "", 0, "/run/socket"), b"localhost"),
    ],
)
def test_a_head_is_the_request_line_the_host_and_the_fields(origin: Origin, host: bytes) -> None:
    head = build_head("POST", "/v1/chat?a=b%20c", [("Content-Type", "application/json"), (b"x", b" \xff ")], origin)
    assert head == (
        b"POST /v1/chat?a=b%20c HTTP/1.1\r\nhost: " + host + b"\r\ncontent-type: application/json\r\nx: \xff\r\n"
    )


def test_a_given_host_is_kept() -> None:
    assert build_head("GET", "/", [("Host", "other.test")], ORIGIN) == b"GET / HTTP/1.1\r\nhost: other.test\r\n"
    with pytest.raises(TransportMisuse, match="one 'host'"):
        build_head("GET", "/", [("Host", "a.test"), ("host", "b.test")], ORIGIN)


@pytest.mark.parametrize(
    "target", ["", "v1", "//a b", "/a\r\nx: y", "/a\0", "/a\tb", "/ä", "/a#b", "http://x/", "/\x7f", "*"]
)
def test_a_target_that_is_not_a_path_is_refused(target: str) -> None:
    with pytest.raises(TransportMisuse, match="target"):
        build_head("GET", target, [], ORIGIN)


@pytest.mark.parametrize("method", ["", "GET /", "G\r\n", "GÄT"])
def test_a_method_that_is_not_a_token_is_refused(method: str) -> None:
    with pytest.raises(TransportMisuse, match="method"):
        build_head(method, "/", [], ORIGIN)


@pytest.mark.parametrize("name", ["", "a b", "a:", "a\r\n", "a\0", "ä", b"\xff"])
def test_a_name_that_is_not_a_token_is_refused(name: str | bytes) -> None:
    with pytest.raises(TransportMisuse, match="name"):
        build_head("GET", "/", [(name, "x")], ORIGIN)


@pytest.mark.parametrize(
    "value", ["secret\r\nx: y", "secret\n", "secret\r", "secret\0", "secret\x01", "secret\x7f", "sécret"]
)
def test_a_value_with_a_control_character_is_refused_and_not_shown(value: str) -> None:
    with pytest.raises(TransportMisuse, match="authorization") as caught:
        build_head("GET", "/", [("authorization", value)], ORIGIN)
    assert "cret" not in str(caught.value)


@pytest.mark.parametrize(
    "name", ["Connection", "content-length", "Transfer-Encoding", "TE", "Trailer", "Upgrade", "Expect", "Keep-Alive"]
)
def test_fields_of_the_connection_are_refused(name: str) -> None:
    with pytest.raises(TransportMisuse, match="belongs to the connection"):
        build_head("GET", "/", [(name, "x")], ORIGIN)


@pytest.mark.parametrize("host", ["a b", "a\r\nx: y", "ä.test"])
def test_an_invalid_host_is_refused(host: str) -> None:
    with pytest.raises(TransportMisuse, match="host"):
        build_head("GET", "/", [], Origin("http", host, 80))


@given(st.text(), st.lists(st.tuples(st.text(), st.text())))
def test_no_text_adds_a_line(target: str, headers: list[tuple[str, str]]) -> None:
    try:
        head = build_head("GET", target, headers, ORIGIN)
    except TransportMisuse:
        return
    given_host = any(name.lower() == "host" for name, _ in headers)
    assert head.count(b"\r\n") == head.count(b"\n") == head.count(b"\r") == 1 + len(headers) + (not given_host)
    assert b"\r\n\r\n" not in head
    assert b"\0" not in head


async def test_a_credential_goes_to_its_origin_only(client: Client) -> None:
    async with Server(answer_with(write_length_answer(b"x"))) as server:
        head = build_head("POST", "/", [("authorization", "Bearer secret")], server.origin)
        for bound_to in (ORIGIN, Origin("https", "127.0.0.1", server.origin.port), Origin("http", "127.0.0.1", 1)):
            with pytest.raises(TransportMisuse, match="bound to") as caught:
                await client.transport.send(Request(server.origin, head, b"", bound_to), 5)
            assert isinstance(caught.value, AntiphonError)
            assert not isinstance(caught.value, CallError)
        assert not server.peers
        equal = Origin("http", "127.0.0.1", server.origin.port)
        response = await client.transport.send(Request(server.origin, head, b"", equal), 5)
        assert await response.read(10) == b"x"


@pytest.mark.parametrize(
    "head", [b"GET / HTTP/1.1", b"GET / HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n", b""]
)
async def test_a_head_with_a_blank_line_is_refused(client: Client, head: bytes) -> None:
    async with Server(answer_with(write_length_answer(b"x"))) as server:
        with pytest.raises(TransportMisuse, match="build_head"):
            await client.transport.send(Request(server.origin, head), 5)
        assert not server.peers


async def test_an_unknown_scheme_is_refused(client: Client) -> None:
    with pytest.raises(TransportMisuse, match="ftp"):
        await client.send(Origin("ftp", "127.0.0.1", 21))


@pytest.mark.parametrize(
    ("method", "body", "framing"),
    [
        ("GET", b"", b""),
        ("POST", b"", b"content-length: 0\r\n"),
        ("POST", b"abc", b"content-length: 3\r\n"),
        ("DELETE", b"", b"content-length: 0\r\n"),
        ("POST", b"x" * 70_000, b"content-length: 70000\r\n"),
    ],
)
async def test_a_request_is_its_head_its_framing_and_its_body(
    client: Client, method: str, body: bytes, framing: bytes
) -> None:
    async with Server(answer_with(write_length_answer(b"x"))) as server:
        head = build_head(method, "/", [], server.origin)
        response = await client.transport.send(Request(server.origin, head, body), 5)
        await response.read(10)
        assert server.peers[0].seen == head + framing + b"\r\n" + body


@pytest.mark.parametrize("status", [b"301 Moved", b"302 Found", b"303 See Other", b"307 Temporary", b"308 Permanent"])
async def test_a_redirect_is_not_followed(client: Client, status: bytes) -> None:
    async with Server(answer_with(write_length_answer(b"x"))) as elsewhere:
        location = b"Location: http://127.0.0.1:%d/" % elsewhere.origin.port
        async with Server(answer_with(write_length_answer(b"moved", location, status=status))) as server:
            response = await client.send(server.origin)
            assert response.status == int(status[:3])
            assert (b"location", location[10:]) in response.headers
            assert await response.read(100) == b"moved"
        assert not elsewhere.peers


async def test_header_names_are_lower_case_and_values_as_they_came(client: Client) -> None:
    fields = (b"X-Request-ID:  a B\xe9 \t", b"Set-Cookie: a=b", b"Set-Cookie: c=d", b"empty:")
    async with Server(answer_with(write_length_answer(b"", *fields))) as server:
        response = await client.send(server.origin)
        assert response.headers == [
            (b"content-length", b"0"),
            (b"x-request-id", b"a B\xe9"),
            (b"set-cookie", b"a=b"),
            (b"set-cookie", b"c=d"),
            (b"empty", b""),
        ]
        response.close()
