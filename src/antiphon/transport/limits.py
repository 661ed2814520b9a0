"""The caps a transport holds an answer to."""

import msgspec


class Limits(msgspec.Struct, frozen=True):
    """Sizes are bytes. ``buffer`` is what may wait for a slow reader before reading stops.

    As much again, and one read, may be on its way to that reader: small, so that many of them are bearable.
    """

    head: int = 32 * 1024
    fields: int = 100
    buffer: int = 32 * 1024
    decoded: int = 64 * 1024 * 1024
    """The most bytes a content coding may expand to."""
