"""Raw requests, each with the answers that RFC 9110, RFC 9112 and the server's own promises allow."""

from typing import NamedTuple

HOST = b"Host: example\r\n"
GET = b"GET /a HTTP/1.1\r\n" + HOST + b"\r\n"


class Probe(NamedTuple):
    """``statuses`` has the allowed statuses of each answer. If ``closes``, the server closes after the last one."""

    name: str
    data: bytes
    statuses: tuple[tuple[int, ...], ...]
    closes: bool
    bodiless: bool = False


def _expect_kept(name: str, data: bytes, *statuses: int, bodiless: bool = False) -> Probe:
    return Probe(name, data, tuple((status,) for status in statuses or (200,)), False, bodiless)


def _expect_closed(name: str, data: bytes, *statuses: int, bodiless: bool = False) -> Probe:
    return Probe(name, data, tuple((status,) for status in statuses or (200,)), True, bodiless)


def _expect_refused(name: str, data: bytes, *allowed: int) -> Probe:
    return Probe(name, data, (allowed or (400,),), True)


def _get(fields: bytes, host: bytes = HOST) -> bytes:
    return b"GET /a HTTP/1.1\r\n" + host + fields + b"\r\n"


def _post(fields: bytes, body: bytes = b"") -> bytes:
    return b"POST /a HTTP/1.1\r\n" + HOST + fields + b"\r\n" + body


def _post_chunks(body: bytes) -> bytes:
    return _post(b"Transfer-Encoding: chunked\r\n", body)


def _write_line(line: bytes) -> bytes:
    return line + b"\r\n" + HOST + b"\r\n"


LINES = [
    _expect_kept("get", GET),
    _expect_kept("head", b"HEAD /a HTTP/1.1\r\n" + HOST + b"\r\n", bodiless=True),
    _expect_kept("query", _write_line(b"GET /a?b=c HTTP/1.1")),
    _expect_kept("query-of-everything", _write_line(b"GET /a?b=%00&c=/../?d HTTP/1.1")),
    _expect_kept("options-path", _write_line(b"OPTIONS /a HTTP/1.1")),
    _expect_kept("options-asterisk", _write_line(b"OPTIONS * HTTP/1.1")),
    _expect_kept("delete", _write_line(b"DELETE /a HTTP/1.1")),
    _expect_kept("patch", _write_line(b"PATCH /a HTTP/1.1")),
    _expect_kept("put-without-content", _write_line(b"PUT /a HTTP/1.1")),
    _expect_kept("extension-method", _write_line(b"PROPFIND /a HTTP/1.1")),
    _expect_kept("absolute-form", _write_line(b"GET http://example/a HTTP/1.1")),
    _expect_kept("absolute-form-port", _write_line(b"GET http://example:80/a?b HTTP/1.1")),
    _expect_kept("absolute-form-no-path", _write_line(b"GET http://example HTTP/1.1")),
    _expect_kept("absolute-form-https", _write_line(b"GET https://example/a HTTP/1.1")),
    _expect_kept("leading-crlf", b"\r\n" + GET),
    _expect_kept("leading-crlfs", b"\r\n\r\n" + GET),
    _expect_kept("percent-encoded", _write_line(b"GET /%61%2F%00 HTTP/1.1")),
    _expect_kept("dot-segments-kept", _write_line(b"GET /../a/./b HTTP/1.1")),
    _expect_kept("double-slash", _write_line(b"GET //a//b HTTP/1.1")),
    _expect_refused("asterisk-get", _write_line(b"GET * HTTP/1.1")),
    _expect_refused("connect", _write_line(b"CONNECT example:443 HTTP/1.1")),
    _expect_refused("relative-target", _write_line(b"GET a HTTP/1.1")),
    _expect_refused("fragment", _write_line(b"GET /a#b HTTP/1.1")),
    _expect_refused("absolute-fragment", _write_line(b"GET http://example/a#b HTTP/1.1")),
    _expect_refused("absolute-userinfo", _write_line(b"GET http://user@example/a HTTP/1.1")),
    _expect_refused("absolute-no-host", _write_line(b"GET http:///a HTTP/1.1")),
    _expect_refused("absolute-other-scheme", _write_line(b"GET ftp://example/a HTTP/1.1")),
    _expect_refused("no-method", _write_line(b" /a HTTP/1.1")),
    _expect_refused("lower-method", _write_line(b"get /a HTTP/1.1")),
    _expect_refused("unknown-method", _write_line(b"FOO /a HTTP/1.1"), 400, 501),
    _expect_refused("method-with-colon", _write_line(b"GE:T /a HTTP/1.1")),
    _expect_refused("method-nul", _write_line(b"GE\0T /a HTTP/1.1")),
    _expect_refused("tab-after-method", _write_line(b"GET\t/a HTTP/1.1")),
    _expect_refused("tab-before-version", _write_line(b"GET /a\tHTTP/1.1")),
    _expect_refused("space-in-target", _write_line(b"GET /a b HTTP/1.1")),
    _expect_refused("space-after-version", _write_line(b"GET /a HTTP/1.1 ")),
    _expect_refused("leading-space", b" " + GET),
    _expect_refused("leading-tab", b"\t" + GET),
    _expect_refused("control-in-target", _write_line(b"GET /a\x01 HTTP/1.1")),
    _expect_refused("nul-in-target", _write_line(b"GET /a\0 HTTP/1.1")),
    _expect_refused("delete-in-target", _write_line(b"GET /a\x7f HTTP/1.1")),
    _expect_refused("high-byte-in-target", _write_line(b"GET /\xff HTTP/1.1")),
    _expect_refused("cr-in-target", _write_line(b"GET /a\rb HTTP/1.1")),
    _expect_refused("lf-in-target", _write_line(b"GET /a\nb HTTP/1.1")),
    _expect_refused("no-version", _write_line(b"GET /a"), 400, 505),
    _expect_refused("version-0.9", _write_line(b"GET /a HTTP/0.9"), 400, 505),
    _expect_refused("version-1.2", _write_line(b"GET /a HTTP/1.2"), 400, 505),
    _expect_refused("version-2.0", _write_line(b"GET /a HTTP/2.0"), 505),
    _expect_refused("version-3.0", _write_line(b"GET /a HTTP/3.0"), 400, 505),
    _expect_refused("version-1.10", _write_line(b"GET /a HTTP/1.10")),
    _expect_refused("version-1", _write_line(b"GET /a HTTP/1")),
    _expect_refused("version-01.1", _write_line(b"GET /a HTTP/01.1")),
    _expect_refused("version-lower", _write_line(b"GET /a http/1.1")),
    _expect_refused("version-other", _write_line(b"GET /a ICE/1.1")),
    _expect_refused("version-letters", _write_line(b"GET /a HTTP/x.y")),
    _expect_refused("http2-preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, 505),
    _expect_refused("tls-hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(40)),
    _expect_refused("rubbish", b"\xde\xad\xbe\xef\r\n\r\n"),
    _expect_refused("lf-after-line", b"GET /a HTTP/1.1\n" + HOST + b"\r\n"),
    _expect_refused("cr-after-line", b"GET /a HTTP/1.1\r" + HOST + b"\r\n"),
    _expect_refused("crcrlf-after-line", b"GET /a HTTP/1.1\r\r\n" + HOST + b"\r\n"),
    _expect_refused("lf-only", b"GET /a HTTP/1.1\nHost: example\n\n"),
    _expect_refused("line-too-long", _write_line(b"GET /" + b"a" * 8192 + b" HTTP/1.1"), 414),
    _expect_refused("query-too-long", _write_line(b"GET /?" + b"a" * 8192 + b" HTTP/1.1"), 414),
    _expect_kept("line-just-fits", _write_line(b"GET /" + b"a" * 8100 + b" HTTP/1.1")),
]

FIELDS = [
    _expect_kept("value-empty", _get(b"X:\r\n")),
    _expect_kept("value-spaces", _get(b"X:   \t  y \t \r\n")),
    _expect_kept("value-obs-text", _get(b"X: \xe4\xff\r\n")),
    _expect_kept("value-tab", _get(b"X: a\tb\r\n")),
    _expect_kept("name-tchar", _get(b"!#$%&'*+-.^_`|~09az: y\r\n")),
    _expect_kept("hundred-fields", _get(b"X: y\r\n" * 99)),
    _expect_kept("head-just-fits", _get(b"X: " + b"y" * 32000 + b"\r\n")),
    _expect_kept("repeated-field", _get(b"X: 1\r\nX: 2\r\n")),
    _expect_refused("too-many-fields", _get(b"X: y\r\n" * 100), 431),
    _expect_refused("head-too-large", _get(b"X: " + b"y" * 33000 + b"\r\n"), 431),
    _expect_refused("name-too-large", _get(b"x" * 33000 + b": y\r\n"), 431),
    _expect_refused("head-far-too-large", _get(b"X: " + b"y" * 500_000 + b"\r\n"), 431),
    _expect_refused("head-too-large-in-all", _get((b"X: " + b"y" * 997 + b"\r\n") * 40), 431),
    _expect_refused("space-before-colon", _get(b"X : y\r\n")),
    _expect_refused("tab-before-colon", _get(b"X\t: y\r\n")),
    _expect_refused("space-in-name", _get(b"X Y: z\r\n")),
    _expect_refused("no-colon", _get(b"X\r\n")),
    _expect_refused("empty-name", _get(b": y\r\n")),
    _expect_refused("name-high-byte", _get(b"X\xff: y\r\n")),
    _expect_refused("name-nul", _get(b"X\0: y\r\n")),
    _expect_refused("name-control", _get(b"X\x01: y\r\n")),
    _expect_refused("name-bracket", _get(b"X(y): z\r\n")),
    _expect_refused("name-slash", _get(b"X/y: z\r\n")),
    _expect_refused("name-quote", _get(b'"X": z\r\n')),
    _expect_refused("name-at", _get(b"X@y: z\r\n")),
    _expect_refused("value-nul", _get(b"X: a\0b\r\n")),
    _expect_refused("value-control", _get(b"X: a\x01b\r\n")),
    _expect_refused("value-delete", _get(b"X: a\x7fb\r\n")),
    _expect_refused("value-vertical-tab", _get(b"X: a\x0bb\r\n")),
    _expect_refused("value-bare-cr", _get(b"X: a\rb\r\n")),
    _expect_refused("value-bare-cr-at-end", _get(b"X: a\r\r\n")),
    _expect_refused("value-bare-lf", _get(b"X: a\nY: b\r\n")),
    _expect_refused("value-lf-at-end", _get(b"X: a\n")),
    _expect_refused("fold-space", _get(b"X: a\r\n b\r\n")),
    _expect_refused("fold-tab", _get(b"X: a\r\n\tb\r\n")),
    _expect_refused("fold-of-length", _post(b"Content-Length:\r\n 3\r\n", b"abc")),
    _expect_refused("fold-of-coding", _post(b"Transfer-Encoding:\r\n chunked\r\n", b"0\r\n\r\n")),
    _expect_refused("space-before-first-field", b"GET /a HTTP/1.1\r\n X: y\r\n" + HOST + b"\r\n"),
    _expect_refused("lf-ends-head", b"GET /a HTTP/1.1\r\nHost: example\r\n\n"),
    _expect_refused("cr-ends-head", b"GET /a HTTP/1.1\r\nHost: example\r\n\rX"),
]

HOSTS = [
    _expect_kept("host-port", _get(b"", b"Host: example:8080\r\n")),
    _expect_kept("host-ipv4", _get(b"", b"Host: 127.0.0.1:80\r\n")),
    _expect_kept("host-ipv6", _get(b"", b"Host: [::1]:80\r\n")),
    _expect_kept("host-empty-port", _get(b"", b"Host: example:\r\n")),
    _expect_kept("host-upper-name", _get(b"", b"HOST: EXAMPLE\r\n")),
    _expect_kept("host-padded", _get(b"", b"Host: \t example \t\r\n")),
    _expect_kept("host-underscore", _get(b"", b"Host: my_service.local\r\n")),
    _expect_refused("host-missing", b"GET /a HTTP/1.1\r\nX: y\r\n\r\n"),
    _expect_refused("host-missing-no-fields", b"GET /a HTTP/1.1\r\n\r\n"),
    _expect_refused("host-empty", _get(b"", b"Host:\r\n")),
    _expect_refused("host-blank", _get(b"", b"Host:  \r\n")),
    _expect_refused("host-twice", _get(HOST)),
    _expect_refused("host-twice-other", _get(b"Host: other\r\n")),
    _expect_refused("host-twice-apart", _get(b"X: y\r\nhost: other\r\n")),
    _expect_refused("host-list", _get(b"", b"Host: a, b\r\n")),
    _expect_refused("host-space", _get(b"", b"Host: a b\r\n")),
    _expect_refused("host-slash", _get(b"", b"Host: a/b\r\n")),
    _expect_refused("host-at", _get(b"", b"Host: user@a\r\n")),
    _expect_refused("host-question", _get(b"", b"Host: a?b\r\n")),
    _expect_refused("host-hash", _get(b"", b"Host: a#b\r\n")),
    _expect_refused("host-backslash", _get(b"", b"Host: a\\b\r\n")),
    _expect_refused("host-port-letters", _get(b"", b"Host: a:b\r\n")),
    _expect_refused("host-two-ports", _get(b"", b"Host: a:1:2\r\n")),
    _expect_refused("host-port-long", _get(b"", b"Host: a:123456\r\n")),
    _expect_refused("host-high-byte", _get(b"", b"Host: \xffa\r\n")),
    _expect_refused("host-open-bracket", _get(b"", b"Host: [::1\r\n")),
    _expect_refused("host-bad-percent", _get(b"", b"Host: a%zz\r\n")),
    _expect_refused("absolute-with-bad-host", b"GET http://example/a HTTP/1.1\r\nHost: a b\r\n\r\n"),
    _expect_refused("absolute-without-host", b"GET http://example/a HTTP/1.1\r\n\r\n"),
]

LENGTHS = [
    _expect_kept("length", _post(b"Content-Length: 3\r\n", b"abc")),
    _expect_kept("length-zero", _post(b"Content-Length: 0\r\n")),
    _expect_kept("length-leading-zeros", _post(b"Content-Length: 0003\r\n", b"abc")),
    _expect_kept("length-upper-name", _post(b"CONTENT-LENGTH: 3\r\n", b"abc")),
    _expect_kept("length-of-get", _get(b"Content-Length: 3\r\n") + b"abc"),
    _expect_kept("post-without-length", _post(b"")),
    _expect_kept("length-large", _post(b"Content-Length: 20000\r\n", b"x" * 20000)),
    _expect_refused("length-twice", _post(b"Content-Length: 3\r\nContent-Length: 3\r\n", b"abc")),
    _expect_refused("length-twice-other", _post(b"Content-Length: 3\r\nContent-Length: 4\r\n", b"abc")),
    _expect_refused("length-list", _post(b"Content-Length: 3, 3\r\n", b"abc")),
    _expect_refused("length-plus", _post(b"Content-Length: +3\r\n", b"abc")),
    _expect_refused("length-minus", _post(b"Content-Length: -3\r\n", b"abc")),
    _expect_refused("length-hex", _post(b"Content-Length: 0x3\r\n", b"abc")),
    _expect_refused("length-letters", _post(b"Content-Length: abc\r\n", b"abc")),
    _expect_refused("length-decimal", _post(b"Content-Length: 3.0\r\n", b"abc")),
    _expect_refused("length-space-inside", _post(b"Content-Length: 3 3\r\n", b"abc")),
    _expect_refused("length-underscore", _post(b"Content-Length: 1_0\r\n", b"abc")),
    _expect_refused("length-empty", _post(b"Content-Length:\r\n", b"abc")),
    _expect_refused("length-quoted", _post(b'Content-Length: "3"\r\n', b"abc")),
    _expect_refused("length-high-digit", _post(b"Content-Length: \xb2\r\n", b"abc")),
    _expect_refused("length-overflow", _post(b"Content-Length: 99999999999999999999999\r\n", b"abc"), 400, 413),
    _expect_refused("length-over-limit", _post(b"Content-Length: 99999999\r\n", b"abc"), 413),
    _expect_refused(
        "length-over-limit-head", b"HEAD /a HTTP/1.1\r\n" + HOST + b"Content-Length: 99999999\r\n\r\n", 413
    )._replace(bodiless=True),
    _expect_refused("length-and-coding", _post(b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n")),
    _expect_refused("coding-and-length", _post(b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", b"0\r\n\r\n")),
    _expect_refused(
        "length-and-other-coding", _post(b"Content-Length: 5\r\nTransfer-Encoding: identity\r\n", b"abcde")
    ),
]

CHUNKS = [
    _expect_kept("chunked", _post_chunks(b"3\r\nabc\r\n0\r\n\r\n")),
    _expect_kept("chunked-empty", _post_chunks(b"0\r\n\r\n")),
    _expect_kept("chunked-two", _post_chunks(b"1\r\na\r\n2\r\nbc\r\n0\r\n\r\n")),
    _expect_kept("chunked-hex", _post_chunks(b"a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n")),
    _expect_kept("chunked-leading-zeros", _post_chunks(b"0003\r\nabc\r\n000\r\n\r\n")),
    _expect_kept("chunked-extension", _post_chunks(b"3;a=b;c\r\nabc\r\n0\r\n\r\n")),
    _expect_kept("chunked-quoted-extension", _post_chunks(b'3;a="b;c"\r\nabc\r\n0\r\n\r\n')),
    _expect_kept("chunked-trailer", _post_chunks(b"3\r\nabc\r\n0\r\nX: y\r\n\r\n")),
    _expect_kept("chunked-trailer-host", _post_chunks(b"3\r\nabc\r\n0\r\nHost: other\r\n\r\n")),
    _expect_kept("chunked-upper", _post(b"Transfer-Encoding: CHUNKED\r\n", b"3\r\nabc\r\n0\r\n\r\n")),
    _expect_refused("coding-identity", _post(b"Transfer-Encoding: identity\r\n", b"0\r\n\r\n")),
    _expect_refused("coding-gzip", _post(b"Transfer-Encoding: gzip\r\n", b"0\r\n\r\n")),
    _expect_refused("coding-gzip-chunked", _post(b"Transfer-Encoding: gzip, chunked\r\n", b"0\r\n\r\n")),
    _expect_refused("coding-chunked-gzip", _post(b"Transfer-Encoding: chunked, gzip\r\n", b"0\r\n\r\n")),
    _expect_refused("coding-chunked-twice", _post(b"Transfer-Encoding: chunked, chunked\r\n", b"0\r\n\r\n")),
    _expect_refused("coding-two-fields", _post(b"Transfer-Encoding: chunked\r\n" * 2, b"0\r\n\r\n")),
    _expect_refused(
        "coding-two-other-fields", _post(b"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n")
    ),
    _expect_refused("coding-empty", _post(b"Transfer-Encoding:\r\n", b"0\r\n\r\n")),
    _expect_refused("coding-prefixed", _post(b"Transfer-Encoding: xchunked\r\n", b"0\r\n\r\n")),
    _expect_refused("coding-vertical-tab", _post(b"Transfer-Encoding: \x0bchunked\r\n", b"0\r\n\r\n")),
    _expect_refused("coding-quoted", _post(b'Transfer-Encoding: "chunked"\r\n', b"0\r\n\r\n")),
    _expect_refused("coding-parameter", _post(b"Transfer-Encoding: chunked;q=1\r\n", b"0\r\n\r\n")),
    _expect_refused("coding-in-1.0", b"POST /a HTTP/1.0\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    _expect_refused("chunk-size-empty", _post_chunks(b"\r\nabc\r\n0\r\n\r\n")),
    _expect_refused("chunk-size-prefix", _post_chunks(b"0x3\r\nabc\r\n0\r\n\r\n")),
    _expect_refused("chunk-size-minus", _post_chunks(b"-3\r\nabc\r\n0\r\n\r\n")),
    _expect_refused("chunk-size-plus", _post_chunks(b"+3\r\nabc\r\n0\r\n\r\n")),
    _expect_refused("chunk-size-letters", _post_chunks(b"xyz\r\nabc\r\n0\r\n\r\n")),
    _expect_refused("chunk-size-space", _post_chunks(b"3 \r\nabc\r\n0\r\n\r\n")),
    _expect_refused("chunk-size-leading-space", _post_chunks(b" 3\r\nabc\r\n0\r\n\r\n")),
    _expect_refused("chunk-size-overflow", _post_chunks(b"fffffffffffffffff\r\nabc\r\n0\r\n\r\n")),
    _expect_refused("chunk-size-underscore", _post_chunks(b"0_3\r\nabc\r\n0\r\n\r\n")),
    _expect_refused("chunk-size-lf", _post_chunks(b"3\nabc\r\n0\r\n\r\n")),
    _expect_refused("chunk-size-cr", _post_chunks(b"3\rabc\r\n0\r\n\r\n")),
    _expect_refused("chunk-too-short", _post_chunks(b"4\r\nabc\r\n0\r\n\r\n")),
    _expect_refused("chunk-too-long", _post_chunks(b"3\r\nabcd\r\n0\r\n\r\n")),
    _expect_refused("chunk-no-crlf", _post_chunks(b"3\r\nabc0\r\n\r\n")),
    _expect_refused("chunk-lf-after-data", _post_chunks(b"3\r\nabc\n0\r\n\r\n")),
    _expect_refused("chunk-cr-after-data", _post_chunks(b"3\r\nabc\r0\r\n\r\n")),
    _expect_refused("chunk-extension-lf", _post_chunks(b"3;a\nb\r\nabc\r\n0\r\n\r\n")),
    _expect_refused("chunk-extension-cr", _post_chunks(b"3;a\rb\r\nabc\r\n0\r\n\r\n")),
    _expect_refused("chunk-extension-nul", _post_chunks(b"3;a\0b\r\nabc\r\n0\r\n\r\n")),
    _expect_refused("chunk-extension-endless", _post_chunks(b"3;" + b"a" * 80_000 + b"\r\nabc\r\n0\r\n\r\n"), 400, 431),
    _expect_refused("last-chunk-lf", _post_chunks(b"3\r\nabc\r\n0\n\r\n")),
    _expect_refused("trailer-fold", _post_chunks(b"0\r\nX: y\r\n z\r\n\r\n")),
    _expect_refused("trailer-space-colon", _post_chunks(b"0\r\nX : y\r\n\r\n")),
    _expect_refused("trailer-length", _post_chunks(b"0\r\nContent-Length: 3\r\n\r\n")),
    _expect_refused("trailer-coding", _post_chunks(b"0\r\nTransfer-Encoding: chunked\r\n\r\n")),
    _expect_refused("trailer-nul", _post_chunks(b"0\r\nX: \0\r\n\r\n")),
    _expect_refused("trailers-endless", _post_chunks(b"0\r\n" + b"X: y\r\n" * 20_000 + b"\r\n"), 400, 431),
    _expect_refused("trailer-too-large", _post_chunks(b"0\r\nX: " + b"y" * 80_000 + b"\r\n\r\n"), 400, 431),
    _expect_refused(
        "chunked-over-limit", _post_chunks(b"10000\r\n" + b"x" * 65536 + b"\r\n") + b"10000\r\n" + b"x" * 65536, 413
    ),
]

CONNECTIONS = [
    _expect_closed("close", _get(b"Connection: close\r\n")),
    _expect_closed("close-upper", _get(b"Connection: CLOSE\r\n")),
    _expect_closed("close-in-list", _get(b"Connection: x, close\r\n")),
    _expect_closed("close-second-field", _get(b"Connection: x\r\nConnection: close\r\n")),
    _expect_kept("keep-alive", _get(b"Connection: keep-alive\r\n")),
    _expect_kept("other-option", _get(b"Connection: x\r\n")),
    _expect_closed("http-1.0", b"GET /a HTTP/1.0\r\n" + HOST + b"\r\n"),
    _expect_closed("http-1.0-no-host", b"GET /a HTTP/1.0\r\n\r\n"),
    _expect_closed("http-1.0-keep-alive", b"GET /a HTTP/1.0\r\n" + HOST + b"Connection: keep-alive\r\n\r\n"),
    _expect_closed("http-1.0-post", b"POST /a HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc"),
    _expect_closed("http-1.0-expect", b"POST /a HTTP/1.0\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\nabc"),
    _expect_closed("http-1.0-bad-host", b"GET /a HTTP/1.0\r\nHost: a b\r\n\r\n", 400),
    _expect_kept("pipelined", GET * 3, 200, 200, 200),
    _expect_kept("pipelined-posts", _post(b"Content-Length: 3\r\n", b"abc") * 3, 200, 200, 200),
    _expect_kept("pipelined-chunked", _post_chunks(b"3\r\nabc\r\n0\r\n\r\n") * 2 + GET, 200, 200, 200),
    _expect_kept("pipelined-crlf", GET + b"\r\n" + GET, 200, 200),
    _expect_closed("pipelined-close", GET + _get(b"Connection: close\r\n"), 200, 200),
    _expect_closed("pipelined-then-bad", GET * 2 + b"GET /a HTTP/1.1\r\n\r\n", 200, 200, 400),
    _expect_closed("pipelined-then-rubbish", GET * 2 + b"\0\1\2", 200, 200, 400),
    _expect_closed("pipelined-then-bad-chunk", GET + _post_chunks(b"x\r\n"), 200, 400),
    _expect_kept("upgrade-websocket", _get(b"Connection: Upgrade\r\nUpgrade: websocket\r\n")),
    _expect_kept(
        "upgrade-h2c", _get(b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMA\r\n")
    ),
    _expect_closed("upgrade-post", _post(b"Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 3\r\n", b"abc")),
    _expect_closed(
        "upgrade-chunked",
        _post(b"Connection: Upgrade\r\nUpgrade: h2c\r\nTransfer-Encoding: chunked\r\n", b"3\r\nabc\r\n0\r\n\r\n"),
    ),
    _expect_kept("upgrade-empty-post", _post(b"Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 0\r\n")),
    _expect_kept("upgrade-then-next", _get(b"Connection: Upgrade\r\nUpgrade: websocket\r\n") + GET, 200, 200),
    _expect_kept("upgrade-without-connection", _post(b"Upgrade: h2c\r\nContent-Length: 3\r\n", b"abc")),
    _expect_refused(
        "upgrade-bad-chunk", _post(b"Connection: Upgrade\r\nUpgrade: h2c\r\nTransfer-Encoding: chunked\r\n", b"x\r\n")
    ),
    _expect_refused("upgrade-no-host", b"GET /a HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"),
    _expect_kept("expect-without-content", _get(b"Expect: 100-continue\r\n")),
    _expect_kept("expect-with-content-there", _post(b"Expect: 100-continue\r\nContent-Length: 3\r\n", b"abc")),
    _expect_refused("expect-other", _post(b"Expect: 200-ok\r\nContent-Length: 3\r\n", b"abc"), 417),
    _expect_refused("expect-list", _post(b"Expect: 100-continue, x\r\nContent-Length: 3\r\n", b"abc"), 417),
    _expect_kept("expect-upper", _post(b"Expect: 100-CONTINUE\r\nContent-Length: 3\r\n", b"abc")),
]

PROBES = [*LINES, *FIELDS, *HOSTS, *LENGTHS, *CHUNKS, *CONNECTIONS]
