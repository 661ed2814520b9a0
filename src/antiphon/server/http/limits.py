"""What the edge allows: sizes in bytes, times in seconds. The defaults are the product's promise (``docs/http.md``)."""

import msgspec


class Limits(msgspec.Struct, frozen=True):
    """Bounds of one connection and of one request; shorter ones serve the tests."""

    request_line: int = 8 * 1024
    head: int = 32 * 1024
    fields: int = 100
    body: int = 32 * 1024 * 1024
    """Content of one request, after chunked framing is taken away."""
    body_buffer: int = 64 * 1024
    """Content held for a request that is not being read; beyond it the socket is not read either."""
    write_buffer: int = 64 * 1024
    """Answer bytes held for a client that does not read; beyond it nothing more is produced for it."""
    head_time: float = 10.0
    """From the first byte of a head (on a new connection: from its acceptance) to its last."""
    body_time: float = 30.0
    """From the end of the head to the end of the content."""
    idle_time: float = 75.0
    """A kept-alive connection without a request."""
    stall_time: float = 60.0
    """A client that takes no byte of what is written to it."""
    linger_time: float = 2.0
    """After an early refusal: how long input is read and dropped, so that the client can read the answer."""
