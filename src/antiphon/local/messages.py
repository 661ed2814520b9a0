"""The messages between the gateway and a worker: MessagePack, each message behind its length in four bytes."""

from typing import TypeAlias

import msgspec

LENGTH_SIZE = 4
"""Bytes of the length before each message, lowest byte first."""


class Job(msgspec.Struct, frozen=True, tag="job"):
    """Embed these texts with the model at ``source``: a folder, or a name at the Hugging Face Hub."""

    source: str
    texts: list[str]


class JobResult(msgspec.Struct, frozen=True, tag="done"):
    """The vectors of a job's texts in their order: ``size`` 32-bit floats for each text, lowest byte first.

    ``tokens`` is the number of tokens read of each text. ``shorter_sizes`` lists the sizes to which the vectors can be
    cut; ``None`` means any.
    """

    vectors: bytes
    size: int
    tokens: list[int]
    shorter_sizes: list[int] | None


class JobFailure(msgspec.Struct, frozen=True, tag="failed"):
    """Why there are no vectors. With ``texts_at_fault`` the model is fine, so other texts may succeed."""

    status: int
    code: str
    message: str
    texts_at_fault: bool = False


JobReply: TypeAlias = JobResult | JobFailure

_encode = msgspec.msgpack.Encoder().encode
decode_job = msgspec.msgpack.Decoder(Job).decode
decode_reply = msgspec.msgpack.Decoder(JobResult | JobFailure).decode


def encode_message(message: Job | JobReply) -> bytes:
    """Return a message as it is sent."""
    body = _encode(message)
    return len(body).to_bytes(LENGTH_SIZE, "little") + body
