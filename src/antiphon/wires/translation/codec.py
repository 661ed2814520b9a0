"""The shape of a codec: what makes a generation wire translatable to and from every other. Nothing here does I/O."""

from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from antiphon.errors import CallError
from antiphon.types import Target, Usage
from antiphon.wires.translation.field_names import FieldNames
from antiphon.wires.translation.neutral import Event, Reply, Request
from antiphon.wires.wire import Splitter as Splitter


class WrittenRequest(msgspec.Struct, frozen=True, eq=False):
    """A request as a target's wire has it. ``dropped`` names, in the caller's words, what the target cannot take and a
    declared rule leaves out; callers see the names in ``x-antiphon-dropped``."""

    body: bytes
    dropped: tuple[str, ...] = ()


class StreamReader(Protocol):
    """Reads the frames of one streamed answer; keeps what the wire spreads over several frames."""

    def read(self, frame: bytes) -> list[Event]:
        """Return the events of one whole frame (none for a comment); raises ``BadAnswer`` for what the wire forbids."""

    def close(self) -> list[Event]:
        """Return what is still owed when the stream ended in order: closings of open blocks, a held-back finish."""


class StreamWriter(Protocol):
    """Writes one streamed answer; made for one request, because wires repeat parts of it."""

    @property
    def response(self) -> bytes:
        """The response object that the stream ends with; ``b""`` on wires that have none."""

    @property
    def cuts(self) -> Sequence[int]:
        """The lengths of the text deltas, on wires that can replay a kept answer as a stream."""

    def write(self, event: Event) -> bytes:
        """Return the frames for one event, ``b""`` where the wire has none for it.

        After ``Finish`` of every choice and ``Ended`` the stream is complete as the wire's own clients expect it.
        """

    def fail(self, error: CallError) -> bytes:
        """Return the frames that admit a break at this point of the stream."""


class PlainStreamWriter:
    """Base of the writers of wires that have no response object and keep no answers."""

    __slots__ = ()
    response = b""
    cuts: Sequence[int] = ()


class Codec(Protocol):
    """One generation wire, in both directions."""

    wire: str
    """Its name in ``neutral`` values and documents: openai, responses, anthropic, gemini, bedrock."""
    spellings: FieldNames
    """Where its callers say what has a neutral name."""

    def read_request(self, document: dict[str, Any], model: str, stream: bool) -> Request:
        """Read a caller's decoded body (already checked by the wire's ``peek``).

        Raises :class:`~antiphon.errors.BadRequest`, with ``param`` naming the field, for what the wire itself forbids.
        """

    def write_request(self, request: Request, target: Target) -> WrittenRequest:
        """Write a request for ``target.model`` (in the body where this wire has it there).

        Raises :class:`~antiphon.errors.BadRequest` where leaving something out would change what the answer means
        (an image, a file, a tool the target cannot have), naming it; what only tunes is left out and named in
        ``dropped``.
        """

    def read_reply(self, body: bytes) -> Reply:
        """Read a whole answer; raises :class:`~antiphon.errors.BadAnswer`."""

    def write_reply(self, reply: Reply, request: Request) -> bytes:
        """Write a whole answer as this wire's clients expect it."""

    def make_splitter(self) -> Splitter:
        """Return a splitter for this wire's streams."""

    def make_reader(self) -> StreamReader:
        """Return a reader for one streamed answer."""

    def make_writer(self, request: Request) -> StreamWriter:
        """Return a writer for one streamed answer."""


class CallerCodec(Protocol):
    """The caller's side of an operation whose answers are never streamed: embeddings, counts of tokens.

    What passes between it and a :class:`FarCodec` is the family's own form: an
    :class:`translation.embedding.EmbedRequest` and a list of vectors, or a :class:`translation.neutral.Request`
    and a number.
    """

    def read_request(self, document: dict[str, Any], model: str) -> Any:
        """Read a caller's decoded body for the target's ``model``; raises as :meth:`Codec.read_request`."""

    def write_reply(self, reply: Any, request: Any, usage: Usage) -> bytes:
        """Write the one answer as this wire's clients expect it; ``usage`` may be counted by us."""


class ProviderCodec(Protocol):
    """The target's side of such an operation."""

    def write_request(self, request: Any, target: Target) -> list[WrittenRequest]:
        """Write what the target is asked: several times, where it takes less at once than the caller gave.

        Raises as :meth:`Codec.write_request`.
        """

    def read_reply(self, bodies: Sequence[bytes], request: Any) -> Any:
        """Read the whole answers, in the order of what was asked; raises :class:`~antiphon.errors.BadAnswer`."""
