"""The limits of the HTTP server: sizes in bytes, times in seconds. ``docs/http.md`` promises the defaults."""

import msgspec


class Limits(msgspec.Struct, frozen=True):
    """The limits of one connection and of one request; tests use smaller ones."""

    request_line: int = 8 * 1024
    head: int = 32 * 1024
    fields: int = 100
    body: int = 32 * 1024 * 1024
    """Content of one request, without chunked framing."""
    body_buffer: int = 64 * 1024
    """Content buffered for a request that is not being read; above it, the socket is not read either."""
    write_buffer: int = 64 * 1024
    """Answer bytes buffered for a client that does not read; above it, no more are produced."""
    head_time: float = 10.0
    """From the first byte of a head (on a new connection, from its acceptance) to its last byte."""
    body_time: float = 30.0
    """From the end of the head to the end of the content."""
    idle_time: float = 75.0
    """How long a kept-alive connection may be without a request."""
    stall_time: float = 60.0
    """How long a client may take no byte of its answer."""
    linger_time: float = 2.0
    """How long input is read and dropped after an early refusal, so that the client can read the answer."""
