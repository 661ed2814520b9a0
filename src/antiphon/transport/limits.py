"""The caps a transport holds an answer to."""

import msgspec


class Limits(msgspec.Struct, frozen=True):
    """Sizes are bytes. ``buffer`` is what may wait for a slow reader before reading stops."""

    head: int = 32 * 1024
    fields: int = 100
    buffer: int = 128 * 1024
    decoded: int = 64 * 1024 * 1024
    """The most bytes a content coding may expand to."""
