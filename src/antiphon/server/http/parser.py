"""From bytes to exchanges: feeds one connection's input to the parser, within its limits. No I/O, no clock."""

import logging
from typing import NoReturn, Protocol

import httptools

from antiphon.errors import BadRequest, CallError
from antiphon.server.http import head as heads
from antiphon.server.http.exchange import Exchange
from antiphon.server.http.limits import Limits

STEP = 2048
"""Bytes parsed at once if they may hold heads. The shortest request has 26 bytes, so a step holds at most 78."""

IDLE, HEAD, BODY, DONE = range(4)
"""The phases: between messages, in a head, in content, and done (nothing more is parsed)."""

logger = logging.getLogger("antiphon.server")


class Owner(Protocol):
    """What the parser needs of its connection."""

    limits: Limits

    def on_request(self, method: bytes, version: str, head: heads.Head, fields: heads.Fields, keep: bool) -> Exchange:
        """Take a request whose head is complete and valid."""

    def on_refusal(self, error: CallError, method: bytes) -> None:
        """Take the refusal of input that is no request; nothing more comes after it."""


class RequestParser:
    """The callbacks of llhttp, and the position of the input in a message."""

    __slots__ = (
        "_cause", "_chunked", "_fields", "_owner", "_parser", "_seen", "_target", "_upgrade",
        "exchange", "left", "phase",
    )  # fmt: skip

    def __init__(self, owner: Owner) -> None:
        self.phase = IDLE
        self.exchange: Exchange | None = None
        """The request whose content is being read, or was read last."""
        self.left = 0
        """Bytes of content still to come, if the length was given."""
        self._owner = owner
        self._parser = httptools.HttpRequestParser(self)
        self._target = b""
        self._fields: heads.Fields = []
        self._seen = 0
        self._chunked = False
        self._upgrade: heads.Head | None = None
        self._cause: CallError | None = None

    def consume(self, data: memoryview) -> int:
        """Parse in steps until a step has brought a request; return how many bytes were parsed."""
        at, before = 0, self.exchange
        while at < len(data) and self.phase != DONE and self.exchange is before:
            step = max(STEP, self.left)
            self.feed(data[at : at + step])
            at += step
        return min(at, len(data))

    def feed(self, data: bytes | memoryview) -> None:
        """Parse at most one step of input, or more if it is only content."""
        before, other_protocol = self.phase, -1
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            other_protocol = upgrade.args[0]
        except httptools.HttpParserError as error:
            self._reject_malformed(error)
        if other_protocol >= 0:
            self._stay(memoryview(data)[other_protocol:])
            return
        # These bytes ended nothing: part of a head, or chunk sizes, extensions and trailers without content.
        if self.phase == HEAD or (self.phase == BODY and self._chunked):
            self._seen = self._seen + len(data) if before == self.phase else 0
            if self._seen > self._owner.limits.head:
                self.reject(heads.refuse_large_head(f"more than {self._owner.limits.head} bytes"))

    def reject(self, error: CallError) -> None:
        """Parse nothing more; the request that is being read ends with an error, or else the next one is refused."""
        if self.phase == DONE:
            return
        in_content = self.phase == BODY
        self.phase = DONE
        if in_content and self.exchange is not None:
            self.exchange.fail(error)
        else:
            self._owner.on_refusal(error, self._parser.get_method())

    def close(self) -> None:
        """Release the parser and the request."""
        self.phase = DONE
        self.exchange = None
        del self._parser  # It refers back to this object.

    # Called by llhttp

    def on_message_begin(self) -> None:
        self.phase = HEAD
        self._target = b""
        self._fields = []
        self._seen = 0

    def on_url(self, target: bytes) -> None:
        self._target += target
        if len(self._target) > self._owner.limits.request_line - 16:  # method and version take the rest of the line
            self._stop(heads.refuse_long_line(self._owner.limits))

    def on_header(self, name: bytes, value: bytes) -> None:
        self._fields.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        parser, limits, fields = self._parser, self._owner.limits, self._fields
        if self._seen and heads.measure(self._target, fields) > limits.head:
            self._stop(heads.refuse_large_head(f"more than {limits.head} bytes"))
        method, version = parser.get_method(), parser.get_http_version()
        try:
            head = heads.examine(method, self._target, version, fields, limits)
        except CallError as error:
            self._stop(error)
        self._fields = []  # trailers go here, and are ignored
        keep = version != "1.0" and parser.should_keep_alive()
        if parser.should_upgrade():
            self._upgrade = head
            keep = keep and head.length == 0
        self._chunked = head.length == heads.CHUNKED
        self.left = max(head.length, 0)
        self._seen = 0
        self.phase = BODY
        self.exchange = self._owner.on_request(method, version, head, fields, keep)

    def on_chunk_header(self) -> None:
        self._seen = 0

    def on_body(self, data: bytes) -> None:
        self._seen = 0
        if self.left:
            self.left -= len(data)
        if self.exchange is not None and self.exchange.add_content(data) > self._owner.limits.body:
            self._stop(heads.refuse_large_body(self._owner.limits))

    def on_message_complete(self) -> None:
        exchange = self.exchange
        if self._upgrade is None and exchange is not None:
            self.phase = IDLE if exchange.keep else DONE
            exchange.end_content()

    # Beyond what llhttp does

    def stop_reading(self) -> NoReturn:
        """Leave the parser at the end of a request that closes its connection; remaining input is dropped."""
        self._stop(BadRequest("Nothing is read after a request that closes the connection."))

    def _stop(self, error: CallError) -> NoReturn:
        """Leave a callback; llhttp does not pass exceptions on unchanged."""
        self._cause = error
        raise error

    def _reject_malformed(self, error: httptools.HttpParserError) -> None:
        if self._cause is not None:
            self.reject(self._cause)
        elif isinstance(error, httptools.HttpParserCallbackError):
            logger.error("The connection failed on its input", exc_info=error)
            self.reject(CallError("The gateway failed while it read the request. The cause is in its log."))
        else:
            self.reject(BadRequest(f"The request is not valid HTTP/1.1: {error}.", code="malformed_request"))

    def _stay(self, rest: memoryview) -> None:
        """Continue in HTTP/1.1 where the parser stopped for an upgrade to another protocol, which is not supported.

        The parser takes content of such a request for that protocol's. Another one reads it, primed with a head of
        the same framing; the connection closes after it, so that it never has to find the next head.
        """
        head, self._upgrade = self._upgrade, None
        if head is None or head.length == 0:
            self._parser = httptools.HttpRequestParser(self)
            self.on_message_complete()
        else:
            self._parser = httptools.HttpRequestParser(_Content(self))
            framing = b"transfer-encoding: chunked" if self._chunked else b"content-length: %d" % head.length
            self._parser.feed_data(b"POST / HTTP/1.1\r\n%b\r\n\r\n" % framing)
        if rest and self.phase != DONE:
            self.feed(rest)


class _Content:
    """Callbacks for content alone; input after it would be another request, and is ignored."""

    def __init__(self, parser: RequestParser) -> None:
        self.on_body = parser.on_body
        self.on_chunk_header = parser.on_chunk_header
        self._owner = parser

    def on_message_complete(self) -> None:
        self._owner.on_message_complete()
        self._owner.stop_reading()
