"""The protocols of the codecs, which translate a wire to and from the neutral form. Nothing here does I/O."""

from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from antiphon.errors import CallError
from antiphon.types import Target, Usage
from antiphon.wires.translation.field_names import FieldNames
from antiphon.wires.translation.neutral import Event, Reply, Request
from antiphon.wires.wire import Splitter as Splitter


class WrittenRequest(msgspec.Struct, frozen=True, eq=False):
    """A request in the form of a target's wire.

    ``dropped`` holds the neutral names of fields that the target cannot take and that a declared rule leaves out.
    Callers see them, under their own names, in ``x-antiphon-dropped``.
    """

    body: bytes
    dropped: tuple[str, ...] = ()


class StreamReader(Protocol):
    """Reads the frames of one streamed answer, and keeps the state that spans several frames."""

    def read(self, frame: bytes) -> list[Event]:
        """Return the events of one whole frame (none for a comment); raises ``BadAnswer`` for an invalid frame."""

    def close(self) -> list[Event]:
        """Return the last events after the stream ended normally: the ends of open blocks, a finish held back."""


class StreamWriter(Protocol):
    """Writes one streamed answer; it is made for one request, because wires repeat parts of the request."""

    @property
    def response(self) -> bytes:
        """The response object that the stream ends with; ``b""`` on wires that have none."""

    @property
    def cuts(self) -> Sequence[int]:
        """The lengths of the text deltas, on wires that can replay a stored answer as a stream."""

    def write(self, event: Event) -> bytes:
        """Return the frames for one event, or ``b""`` if the wire has none for it.

        After the ``Finish`` of every choice and ``StreamEnd``, the stream is complete as the wire's clients expect it.
        """

    def fail(self, error: CallError) -> bytes:
        """Return the frames that tell the caller that the stream broke at this point."""


class PlainStreamWriter:
    """Base of the writers of wires that have no response object and store no answers."""

    __slots__ = ()
    response = b""
    cuts: Sequence[int] = ()


class Codec(Protocol):
    """One generation wire, in both directions."""

    wire: str
    """Its name in ``neutral`` values and documents: openai, responses, anthropic, gemini, bedrock."""
    field_names: FieldNames
    """The names that its callers use for fields with a neutral name."""

    def read_request(self, document: dict[str, Any], model: str, stream: bool) -> Request:
        """Read a caller's decoded body, which the wire's ``peek`` has checked.

        Raises :class:`~antiphon.errors.BadRequest`, with ``param`` naming the field, if the wire forbids the request.
        """

    def write_request(self, request: Request, target: Target) -> WrittenRequest:
        """Write a request for ``target.model``; the model is in the body if this wire has it there.

        Raises :class:`~antiphon.errors.BadRequest`, naming the field, if the target cannot take something without
        which the answer would mean something else (an image, a file, a tool). Fields that only tune the answer are
        left out and named in ``dropped``.
        """

    def read_reply(self, body: bytes) -> Reply:
        """Read a whole answer; raises :class:`~antiphon.errors.BadAnswer`, also for an error that it reports."""

    def write_reply(self, reply: Reply, request: Request) -> bytes:
        """Write a whole answer as this wire's clients expect it."""

    def make_splitter(self) -> Splitter:
        """Return a splitter for this wire's streams."""

    def make_reader(self) -> StreamReader:
        """Return a reader for one streamed answer."""

    def make_writer(self, request: Request) -> StreamWriter:
        """Return a writer for one streamed answer."""


class CallerCodec(Protocol):
    """The caller's side of an operation that never streams: embeddings, token counts.

    Its requests and replies, which a :class:`ProviderCodec` takes and returns, are a
    :class:`translation.embedding.EmbedRequest` and a list of vectors, or a :class:`translation.neutral.Request` and a
    number.
    """

    def read_request(self, document: dict[str, Any], model: str) -> Any:
        """Read a caller's decoded body for the target's ``model``; raises as :meth:`Codec.read_request`."""

    def write_reply(self, reply: Any, request: Any, usage: Usage) -> bytes:
        """Write the answer as this wire's clients expect it; ``usage`` may be our own estimate."""


class ProviderCodec(Protocol):
    """The target's side of such an operation."""

    def write_request(self, request: Any, target: Target) -> list[WrittenRequest]:
        """Write the requests to the target: several, if it takes fewer inputs at once than the caller sent.

        Raises as :meth:`Codec.write_request`.
        """

    def read_reply(self, bodies: Sequence[bytes], request: Any) -> Any:
        """Read the answers, in the order of the requests; raises :class:`~antiphon.errors.BadAnswer`."""
