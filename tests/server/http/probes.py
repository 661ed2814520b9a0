"""Raw requests and the answers that RFC 9110, RFC 9112 and the server's own promises allow, one row each."""

from typing import NamedTuple

HOST = b"Host: example\r\n"
GET = b"GET /a HTTP/1.1\r\n" + HOST + b"\r\n"


class Probe(NamedTuple):
    """``statuses`` lists what each answer may be, in order. ``closes``: the server closes after the last one."""

    name: str
    data: bytes
    statuses: tuple[tuple[int, ...], ...]
    closes: bool
    bodiless: bool = False


def _kept(name: str, data: bytes, *statuses: int, bodiless: bool = False) -> Probe:
    return Probe(name, data, tuple((status,) for status in statuses or (200,)), False, bodiless)


def _closed(name: str, data: bytes, *statuses: int, bodiless: bool = False) -> Probe:
    return Probe(name, data, tuple((status,) for status in statuses or (200,)), True, bodiless)


def _bad(name: str, data: bytes, *allowed: int) -> Probe:
    return Probe(name, data, (allowed or (400,),), True)


def _get(fields: bytes, host: bytes = HOST) -> bytes:
    return b"GET /a HTTP/1.1\r\n" + host + fields + b"\r\n"


def _post(fields: bytes, body: bytes = b"") -> bytes:
    return b"POST /a HTTP/1.1\r\n" + HOST + fields + b"\r\n" + body


def _chunked(body: bytes) -> bytes:
    return _post(b"Transfer-Encoding: chunked\r\n", body)


def _line(line: bytes) -> bytes:
    return line + b"\r\n" + HOST + b"\r\n"


LINES = [
    _kept("get", GET),
    _kept("head", b"HEAD /a HTTP/1.1\r\n" + HOST + b"\r\n", bodiless=True),
    _kept("query", _line(b"GET /a?b=c HTTP/1.1")),
    _kept("query-of-everything", _line(b"GET /a?b=%00&c=/../?d HTTP/1.1")),
    _kept("options-path", _line(b"OPTIONS /a HTTP/1.1")),
    _kept("options-asterisk", _line(b"OPTIONS * HTTP/1.1")),
    _kept("delete", _line(b"DELETE /a HTTP/1.1")),
    _kept("patch", _line(b"PATCH /a HTTP/1.1")),
    _kept("put-without-content", _line(b"PUT /a HTTP/1.1")),
    _kept("extension-method", _line(b"PROPFIND /a HTTP/1.1")),
    _kept("absolute-form", _line(b"GET http://example/a HTTP/1.1")),
    _kept("absolute-form-port", _line(b"GET http://example:80/a?b HTTP/1.1")),
    _kept("absolute-form-no-path", _line(b"GET http://example HTTP/1.1")),
    _kept("absolute-form-https", _line(b"GET https://example/a HTTP/1.1")),
    _kept("leading-crlf", b"\r\n" + GET),
    _kept("leading-crlfs", b"\r\n\r\n" + GET),
    _kept("percent-encoded", _line(b"GET /%61%2F%00 HTTP/1.1")),
    _kept("dot-segments-kept", _line(b"GET /../a/./b HTTP/1.1")),
    _kept("double-slash", _line(b"GET //a//b HTTP/1.1")),
    _bad("asterisk-get", _line(b"GET * HTTP/1.1")),
    _bad("connect", _line(b"CONNECT example:443 HTTP/1.1")),
    _bad("relative-target", _line(b"GET a HTTP/1.1")),
    _bad("fragment", _line(b"GET /a#b HTTP/1.1")),
    _bad("absolute-fragment", _line(b"GET http://example/a#b HTTP/1.1")),
    _bad("absolute-userinfo", _line(b"GET http://user@example/a HTTP/1.1")),
    _bad("absolute-no-host", _line(b"GET http:///a HTTP/1.1")),
    _bad("absolute-other-scheme", _line(b"GET ftp://example/a HTTP/1.1")),
    _bad("no-method", _line(b" /a HTTP/1.1")),
    _bad("lower-method", _line(b"get /a HTTP/1.1")),
    _bad("unknown-method", _line(b"FOO /a HTTP/1.1"), 400, 501),
    _bad("method-with-colon", _line(b"GE:T /a HTTP/1.1")),
    _bad("method-nul", _line(b"GE\0T /a HTTP/1.1")),
    _bad("tab-after-method", _line(b"GET\t/a HTTP/1.1")),
    _bad("tab-before-version", _line(b"GET /a\tHTTP/1.1")),
    _bad("space-in-target", _line(b"GET /a b HTTP/1.1")),
    _bad("space-after-version", _line(b"GET /a HTTP/1.1 ")),
    _bad("leading-space", b" " + GET),
    _bad("leading-tab", b"\t" + GET),
    _bad("control-in-target", _line(b"GET /a\x01 HTTP/1.1")),
    _bad("nul-in-target", _line(b"GET /a\0 HTTP/1.1")),
    _bad("delete-in-target", _line(b"GET /a\x7f HTTP/1.1")),
    _bad("high-byte-in-target", _line(b"GET /\xff HTTP/1.1")),
    _bad("cr-in-target", _line(b"GET /a\rb HTTP/1.1")),
    _bad("lf-in-target", _line(b"GET /a\nb HTTP/1.1")),
    _bad("no-version", _line(b"GET /a"), 400, 505),
    _bad("version-0.9", _line(b"GET /a HTTP/0.9"), 400, 505),
    _bad("version-1.2", _line(b"GET /a HTTP/1.2"), 400, 505),
    _bad("version-2.0", _line(b"GET /a HTTP/2.0"), 505),
    _bad("version-3.0", _line(b"GET /a HTTP/3.0"), 400, 505),
    _bad("version-1.10", _line(b"GET /a HTTP/1.10")),
    _bad("version-1", _line(b"GET /a HTTP/1")),
    _bad("version-01.1", _line(b"GET /a HTTP/01.1")),
    _bad("version-lower", _line(b"GET /a http/1.1")),
    _bad("version-other", _line(b"GET /a ICE/1.1")),
    _bad("version-letters", _line(b"GET /a HTTP/x.y")),
    _bad("http2-preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, 505),
    _bad("tls-hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(40)),
    _bad("rubbish", b"\xde\xad\xbe\xef\r\n\r\n"),
    _bad("lf-after-line", b"GET /a HTTP/1.1\n" + HOST + b"\r\n"),
    _bad("cr-after-line", b"GET /a HTTP/1.1\r" + HOST + b"\r\n"),
    _bad("crcrlf-after-line", b"GET /a HTTP/1.1\r\r\n" + HOST + b"\r\n"),
    _bad("lf-only", b"GET /a HTTP/1.1\nHost: example\n\n"),
    _bad("line-too-long", _line(b"GET /" + b"a" * 8192 + b" HTTP/1.1"), 414),
    _bad("query-too-long", _line(b"GET /?" + b"a" * 8192 + b" HTTP/1.1"), 414),
    _kept("line-just-fits", _line(b"GET /" + b"a" * 8100 + b" HTTP/1.1")),
]

FIELDS = [
    _kept("value-empty", _get(b"X:\r\n")),
    _kept("value-spaces", _get(b"X:   \t  y \t \r\n")),
    _kept("value-obs-text", _get(b"X: \xe4\xff\r\n")),
    _kept("value-tab", _get(b"X: a\tb\r\n")),
    _kept("name-tchar", _get(b"!#$%&'*+-.^_`|~09az: y\r\n")),
    _kept("hundred-fields", _get(b"X: y\r\n" * 99)),
    _kept("head-just-fits", _get(b"X: " + b"y" * 32000 + b"\r\n")),
    _kept("repeated-field", _get(b"X: 1\r\nX: 2\r\n")),
    _bad("too-many-fields", _get(b"X: y\r\n" * 100), 431),
    _bad("head-too-large", _get(b"X: " + b"y" * 33000 + b"\r\n"), 431),
    _bad("name-too-large", _get(b"x" * 33000 + b": y\r\n"), 431),
    _bad("head-far-too-large", _get(b"X: " + b"y" * 500_000 + b"\r\n"), 431),
    _bad("head-too-large-in-all", _get((b"X: " + b"y" * 997 + b"\r\n") * 40), 431),
    _bad("space-before-colon", _get(b"X : y\r\n")),
    _bad("tab-before-colon", _get(b"X\t: y\r\n")),
    _bad("space-in-name", _get(b"X Y: z\r\n")),
    _bad("no-colon", _get(b"X\r\n")),
    _bad("empty-name", _get(b": y\r\n")),
    _bad("name-high-byte", _get(b"X\xff: y\r\n")),
    _bad("name-nul", _get(b"X\0: y\r\n")),
    _bad("name-control", _get(b"X\x01: y\r\n")),
    _bad("name-bracket", _get(b"X(y): z\r\n")),
    _bad("name-slash", _get(b"X/y: z\r\n")),
    _bad("name-quote", _get(b'"X": z\r\n')),
    _bad("name-at", _get(b"X@y: z\r\n")),
    _bad("value-nul", _get(b"X: a\0b\r\n")),
    _bad("value-control", _get(b"X: a\x01b\r\n")),
    _bad("value-delete", _get(b"X: a\x7fb\r\n")),
    _bad("value-vertical-tab", _get(b"X: a\x0bb\r\n")),
    _bad("value-bare-cr", _get(b"X: a\rb\r\n")),
    _bad("value-bare-cr-at-end", _get(b"X: a\r\r\n")),
    _bad("value-bare-lf", _get(b"X: a\nY: b\r\n")),
    _bad("value-lf-at-end", _get(b"X: a\n")),
    _bad("fold-space", _get(b"X: a\r\n b\r\n")),
    _bad("fold-tab", _get(b"X: a\r\n\tb\r\n")),
    _bad("fold-of-length", _post(b"Content-Length:\r\n 3\r\n", b"abc")),
    _bad("fold-of-coding", _post(b"Transfer-Encoding:\r\n chunked\r\n", b"0\r\n\r\n")),
    _bad("space-before-first-field", b"GET /a HTTP/1.1\r\n X: y\r\n" + HOST + b"\r\n"),
    _bad("lf-ends-head", b"GET /a HTTP/1.1\r\nHost: example\r\n\n"),
    _bad("cr-ends-head", b"GET /a HTTP/1.1\r\nHost: example\r\n\rX"),
]

HOSTS = [
    _kept("host-port", _get(b"", b"Host: example:8080\r\n")),
    _kept("host-ipv4", _get(b"", b"Host: 127.0.0.1:80\r\n")),
    _kept("host-ipv6", _get(b"", b"Host: [::1]:80\r\n")),
    _kept("host-empty-port", _get(b"", b"Host: example:\r\n")),
    _kept("host-upper-name", _get(b"", b"HOST: EXAMPLE\r\n")),
    _kept("host-padded", _get(b"", b"Host: \t example \t\r\n")),
    _kept("host-underscore", _get(b"", b"Host: my_service.local\r\n")),
    _bad("host-missing", b"GET /a HTTP/1.1\r\nX: y\r\n\r\n"),
    _bad("host-missing-no-fields", b"GET /a HTTP/1.1\r\n\r\n"),
    _bad("host-empty", _get(b"", b"Host:\r\n")),
    _bad("host-blank", _get(b"", b"Host:  \r\n")),
    _bad("host-twice", _get(HOST)),
    _bad("host-twice-other", _get(b"Host: other\r\n")),
    _bad("host-twice-apart", _get(b"X: y\r\nhost: other\r\n")),
    _bad("host-list", _get(b"", b"Host: a, b\r\n")),
    _bad("host-space", _get(b"", b"Host: a b\r\n")),
    _bad("host-slash", _get(b"", b"Host: a/b\r\n")),
    _bad("host-at", _get(b"", b"Host: user@a\r\n")),
    _bad("host-question", _get(b"", b"Host: a?b\r\n")),
    _bad("host-hash", _get(b"", b"Host: a#b\r\n")),
    _bad("host-backslash", _get(b"", b"Host: a\\b\r\n")),
    _bad("host-port-letters", _get(b"", b"Host: a:b\r\n")),
    _bad("host-two-ports", _get(b"", b"Host: a:1:2\r\n")),
    _bad("host-port-long", _get(b"", b"Host: a:123456\r\n")),
    _bad("host-high-byte", _get(b"", b"Host: \xffa\r\n")),
    _bad("host-open-bracket", _get(b"", b"Host: [::1\r\n")),
    _bad("host-bad-percent", _get(b"", b"Host: a%zz\r\n")),
    _bad("absolute-with-bad-host", b"GET http://example/a HTTP/1.1\r\nHost: a b\r\n\r\n"),
    _bad("absolute-without-host", b"GET http://example/a HTTP/1.1\r\n\r\n"),
]

LENGTHS = [
    _kept("length", _post(b"Content-Length: 3\r\n", b"abc")),
    _kept("length-zero", _post(b"Content-Length: 0\r\n")),
    _kept("length-leading-zeros", _post(b"Content-Length: 0003\r\n", b"abc")),
    _kept("length-upper-name", _post(b"CONTENT-LENGTH: 3\r\n", b"abc")),
    _kept("length-of-get", _get(b"Content-Length: 3\r\n") + b"abc"),
    _kept("post-without-length", _post(b"")),
    _kept("length-large", _post(b"Content-Length: 20000\r\n", b"x" * 20000)),
    _bad("length-twice", _post(b"Content-Length: 3\r\nContent-Length: 3\r\n", b"abc")),
    _bad("length-twice-other", _post(b"Content-Length: 3\r\nContent-Length: 4\r\n", b"abc")),
    _bad("length-list", _post(b"Content-Length: 3, 3\r\n", b"abc")),
    _bad("length-plus", _post(b"Content-Length: +3\r\n", b"abc")),
    _bad("length-minus", _post(b"Content-Length: -3\r\n", b"abc")),
    _bad("length-hex", _post(b"Content-Length: 0x3\r\n", b"abc")),
    _bad("length-letters", _post(b"Content-Length: abc\r\n", b"abc")),
    _bad("length-decimal", _post(b"Content-Length: 3.0\r\n", b"abc")),
    _bad("length-space-inside", _post(b"Content-Length: 3 3\r\n", b"abc")),
    _bad("length-underscore", _post(b"Content-Length: 1_0\r\n", b"abc")),
    _bad("length-empty", _post(b"Content-Length:\r\n", b"abc")),
    _bad("length-quoted", _post(b'Content-Length: "3"\r\n', b"abc")),
    _bad("length-high-digit", _post(b"Content-Length: \xb2\r\n", b"abc")),
    _bad("length-overflow", _post(b"Content-Length: 99999999999999999999999\r\n", b"abc"), 400, 413),
    _bad("length-over-limit", _post(b"Content-Length: 99999999\r\n", b"abc"), 413),
    _bad("length-over-limit-head", b"HEAD /a HTTP/1.1\r\n" + HOST + b"Content-Length: 99999999\r\n\r\n", 413)._replace(
        bodiless=True
    ),
    _bad("length-and-coding", _post(b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n")),
    _bad("coding-and-length", _post(b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", b"0\r\n\r\n")),
    _bad("length-and-other-coding", _post(b"Content-Length: 5\r\nTransfer-Encoding: identity\r\n", b"abcde")),
]

CHUNKS = [
    _kept("chunked", _chunked(b"3\r\nabc\r\n0\r\n\r\n")),
    _kept("chunked-empty", _chunked(b"0\r\n\r\n")),
    _kept("chunked-two", _chunked(b"1\r\na\r\n2\r\nbc\r\n0\r\n\r\n")),
    _kept("chunked-hex", _chunked(b"a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n")),
    _kept("chunked-leading-zeros", _chunked(b"0003\r\nabc\r\n000\r\n\r\n")),
    _kept("chunked-extension", _chunked(b"3;a=b;c\r\nabc\r\n0\r\n\r\n")),
    _kept("chunked-quoted-extension", _chunked(b'3;a="b;c"\r\nabc\r\n0\r\n\r\n')),
    _kept("chunked-trailer", _chunked(b"3\r\nabc\r\n0\r\nX: y\r\n\r\n")),
    _kept("chunked-trailer-host", _chunked(b"3\r\nabc\r\n0\r\nHost: other\r\n\r\n")),
    _kept("chunked-upper", _post(b"Transfer-Encoding: CHUNKED\r\n", b"3\r\nabc\r\n0\r\n\r\n")),
    _bad("coding-identity", _post(b"Transfer-Encoding: identity\r\n", b"0\r\n\r\n")),
    _bad("coding-gzip", _post(b"Transfer-Encoding: gzip\r\n", b"0\r\n\r\n")),
    _bad("coding-gzip-chunked", _post(b"Transfer-Encoding: gzip, chunked\r\n", b"0\r\n\r\n")),
    _bad("coding-chunked-gzip", _post(b"Transfer-Encoding: chunked, gzip\r\n", b"0\r\n\r\n")),
    _bad("coding-chunked-twice", _post(b"Transfer-Encoding: chunked, chunked\r\n", b"0\r\n\r\n")),
    _bad("coding-two-fields", _post(b"Transfer-Encoding: chunked\r\n" * 2, b"0\r\n\r\n")),
    _bad("coding-two-other-fields", _post(b"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n")),
    _bad("coding-empty", _post(b"Transfer-Encoding:\r\n", b"0\r\n\r\n")),
    _bad("coding-prefixed", _post(b"Transfer-Encoding: xchunked\r\n", b"0\r\n\r\n")),
    _bad("coding-vertical-tab", _post(b"Transfer-Encoding: \x0bchunked\r\n", b"0\r\n\r\n")),
    _bad("coding-quoted", _post(b'Transfer-Encoding: "chunked"\r\n', b"0\r\n\r\n")),
    _bad("coding-parameter", _post(b"Transfer-Encoding: chunked;q=1\r\n", b"0\r\n\r\n")),
    _bad("coding-in-1.0", b"POST /a HTTP/1.0\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    _bad("chunk-size-empty", _chunked(b"\r\nabc\r\n0\r\n\r\n")),
    _bad("chunk-size-prefix", _chunked(b"0x3\r\nabc\r\n0\r\n\r\n")),
    _bad("chunk-size-minus", _chunked(b"-3\r\nabc\r\n0\r\n\r\n")),
    _bad("chunk-size-plus", _chunked(b"+3\r\nabc\r\n0\r\n\r\n")),
    _bad("chunk-size-letters", _chunked(b"xyz\r\nabc\r\n0\r\n\r\n")),
    _bad("chunk-size-space", _chunked(b"3 \r\nabc\r\n0\r\n\r\n")),
    _bad("chunk-size-leading-space", _chunked(b" 3\r\nabc\r\n0\r\n\r\n")),
    _bad("chunk-size-overflow", _chunked(b"fffffffffffffffff\r\nabc\r\n0\r\n\r\n")),
    _bad("chunk-size-underscore", _chunked(b"0_3\r\nabc\r\n0\r\n\r\n")),
    _bad("chunk-size-lf", _chunked(b"3\nabc\r\n0\r\n\r\n")),
    _bad("chunk-size-cr", _chunked(b"3\rabc\r\n0\r\n\r\n")),
    _bad("chunk-too-short", _chunked(b"4\r\nabc\r\n0\r\n\r\n")),
    _bad("chunk-too-long", _chunked(b"3\r\nabcd\r\n0\r\n\r\n")),
    _bad("chunk-no-crlf", _chunked(b"3\r\nabc0\r\n\r\n")),
    _bad("chunk-lf-after-data", _chunked(b"3\r\nabc\n0\r\n\r\n")),
    _bad("chunk-cr-after-data", _chunked(b"3\r\nabc\r0\r\n\r\n")),
    _bad("chunk-extension-lf", _chunked(b"3;a\nb\r\nabc\r\n0\r\n\r\n")),
    _bad("chunk-extension-cr", _chunked(b"3;a\rb\r\nabc\r\n0\r\n\r\n")),
    _bad("chunk-extension-nul", _chunked(b"3;a\0b\r\nabc\r\n0\r\n\r\n")),
    _bad("chunk-extension-endless", _chunked(b"3;" + b"a" * 80_000 + b"\r\nabc\r\n0\r\n\r\n"), 400, 431),
    _bad("last-chunk-lf", _chunked(b"3\r\nabc\r\n0\n\r\n")),
    _bad("trailer-fold", _chunked(b"0\r\nX: y\r\n z\r\n\r\n")),
    _bad("trailer-space-colon", _chunked(b"0\r\nX : y\r\n\r\n")),
    _bad("trailer-length", _chunked(b"0\r\nContent-Length: 3\r\n\r\n")),
    _bad("trailer-coding", _chunked(b"0\r\nTransfer-Encoding: chunked\r\n\r\n")),
    _bad("trailer-nul", _chunked(b"0\r\nX: \0\r\n\r\n")),
    _bad("trailers-endless", _chunked(b"0\r\n" + b"X: y\r\n" * 20_000 + b"\r\n"), 400, 431),
    _bad("trailer-too-large", _chunked(b"0\r\nX: " + b"y" * 80_000 + b"\r\n\r\n"), 400, 431),
    _bad("chunked-over-limit", _chunked(b"10000\r\n" + b"x" * 65536 + b"\r\n") + b"10000\r\n" + b"x" * 65536, 413),
]

CONNECTIONS = [
    _closed("close", _get(b"Connection: close\r\n")),
    _closed("close-upper", _get(b"Connection: CLOSE\r\n")),
    _closed("close-in-list", _get(b"Connection: x, close\r\n")),
    _closed("close-second-field", _get(b"Connection: x\r\nConnection: close\r\n")),
    _kept("keep-alive", _get(b"Connection: keep-alive\r\n")),
    _kept("other-option", _get(b"Connection: x\r\n")),
    _closed("http-1.0", b"GET /a HTTP/1.0\r\n" + HOST + b"\r\n"),
    _closed("http-1.0-no-host", b"GET /a HTTP/1.0\r\n\r\n"),
    _closed("http-1.0-keep-alive", b"GET /a HTTP/1.0\r\n" + HOST + b"Connection: keep-alive\r\n\r\n"),
    _closed("http-1.0-post", b"POST /a HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc"),
    _closed("http-1.0-expect", b"POST /a HTTP/1.0\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\nabc"),
    _closed("http-1.0-bad-host", b"GET /a HTTP/1.0\r\nHost: a b\r\n\r\n", 400),
    _kept("pipelined", GET * 3, 200, 200, 200),
    _kept("pipelined-posts", _post(b"Content-Length: 3\r\n", b"abc") * 3, 200, 200, 200),
    _kept("pipelined-chunked", _chunked(b"3\r\nabc\r\n0\r\n\r\n") * 2 + GET, 200, 200, 200),
    _kept("pipelined-crlf", GET + b"\r\n" + GET, 200, 200),
    _closed("pipelined-close", GET + _get(b"Connection: close\r\n"), 200, 200),
    _closed("pipelined-then-bad", GET * 2 + b"GET /a HTTP/1.1\r\n\r\n", 200, 200, 400),
    _closed("pipelined-then-rubbish", GET * 2 + b"\0\1\2", 200, 200, 400),
    _closed("pipelined-then-bad-chunk", GET + _chunked(b"x\r\n"), 200, 400),
    _kept("upgrade-websocket", _get(b"Connection: Upgrade\r\nUpgrade: websocket\r\n")),
    _kept("upgrade-h2c", _get(b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMA\r\n")),
    _closed("upgrade-post", _post(b"Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 3\r\n", b"abc")),
    _closed(
        "upgrade-chunked",
        _post(b"Connection: Upgrade\r\nUpgrade: h2c\r\nTransfer-Encoding: chunked\r\n", b"3\r\nabc\r\n0\r\n\r\n"),
    ),
    _kept("upgrade-empty-post", _post(b"Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 0\r\n")),
    _kept("upgrade-then-next", _get(b"Connection: Upgrade\r\nUpgrade: websocket\r\n") + GET, 200, 200),
    _kept("upgrade-without-connection", _post(b"Upgrade: h2c\r\nContent-Length: 3\r\n", b"abc")),
    _bad(
        "upgrade-bad-chunk", _post(b"Connection: Upgrade\r\nUpgrade: h2c\r\nTransfer-Encoding: chunked\r\n", b"x\r\n")
    ),
    _bad("upgrade-no-host", b"GET /a HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"),
    _kept("expect-without-content", _get(b"Expect: 100-continue\r\n")),
    _kept("expect-with-content-there", _post(b"Expect: 100-continue\r\nContent-Length: 3\r\n", b"abc")),
    _bad("expect-other", _post(b"Expect: 200-ok\r\nContent-Length: 3\r\n", b"abc"), 417),
    _bad("expect-list", _post(b"Expect: 100-continue, x\r\nContent-Length: 3\r\n", b"abc"), 417),
    _kept("expect-upper", _post(b"Expect: 100-CONTINUE\r\nContent-Length: 3\r\n", b"abc")),
]

PROBES = [*LINES, *FIELDS, *HOSTS, *LENGTHS, *CHUNKS, *CONNECTIONS]
