"""The caps that a transport enforces on an answer."""

import msgspec


class Limits(msgspec.Struct, frozen=True):
    """Sizes are in bytes. ``buffer`` may wait for a slow reader before the connection stops reading.

    The same amount and one read may be on its way to that reader. It is small because there may be many slow readers.
    """

    head: int = 32 * 1024
    fields: int = 100
    buffer: int = 32 * 1024
    decoded: int = 64 * 1024 * 1024
    """The most bytes that a content coding may expand to."""
