"""What the gateway and a worker say to each other: frames of MessagePack, each behind its length in four bytes."""

from typing import TypeAlias

import msgspec

HEAD = 4
"""Bytes of the length before each frame, lowest first."""


class Job(msgspec.Struct, frozen=True, tag="job"):
    """Embed these texts with the model at ``source``: a folder, or a name of the hub."""

    source: str
    texts: list[str]


class Done(msgspec.Struct, frozen=True, tag="done"):
    """The vectors of a job's texts in their order: 32-bit floats, lowest byte first, ``size`` of them for each text.

    ``tokens`` are those read of each text. ``shorter`` says which lengths the vectors can be cut to: ``None`` any,
    otherwise those in the list.
    """

    vectors: bytes
    size: int
    tokens: list[int]
    shorter: list[int] | None


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """Why there are no vectors. ``texts_at_fault``: the model is fine, so that other texts may succeed."""

    status: int
    code: str
    message: str
    texts_at_fault: bool = False


Reply: TypeAlias = Done | Failed

_encode = msgspec.msgpack.Encoder().encode
decode_job = msgspec.msgpack.Decoder(Job).decode
decode_reply = msgspec.msgpack.Decoder(Done | Failed).decode


def framed(message: Job | Reply) -> bytes:
    """Return a message as it is sent."""
    body = _encode(message)
    return len(body).to_bytes(HEAD, "little") + body
