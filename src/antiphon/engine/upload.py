"""A body on its way from a caller to a provider: read once, as fast as it is taken, never held as a whole."""

from collections.abc import AsyncIterator, Callable

from antiphon.errors import BadRequest
from antiphon.wires.operations.form import CLOSE, MODEL, FormReader, Piece

HELD = 1024 * 1024
"""Bytes of a form that are held while its model is looked for."""


class Upload:
    """The pieces of one body. ``length`` is their sum, where the caller said it.

    Of a ``form``, :meth:`model` reads up to the model's name, unless ``named`` gives it, and :meth:`bound` says what
    the provider calls it. Iterating raises what reading from the caller raises, and
    :class:`~antiphon.errors.BadRequest` where the form turns out not to be valid.
    """

    __slots__ = ("_form", "_held", "_length", "_named", "_pieces", "_written", "moved", "sent")

    def __init__(
        self, pieces: AsyncIterator[bytes], length: int | None, form: FormReader | None = None, named: str = ""
    ) -> None:
        self.sent = False
        """A first piece was asked for: the body cannot be given again."""
        self.moved: Callable[[], None] = _nothing
        """Called with each piece that moves on."""
        self._pieces = pieces
        self._length = length
        self._form = form
        self._named = named
        self._held: list[Piece] = []
        self._written = b""

    async def model(self) -> str:
        """Return the model's name; raises :class:`BadRequest` where it is not among the first MiB of the form."""
        form = self._form
        if self._named or form is None:
            return self._named
        held = 0
        while not form.model_seen:
            data = await anext(self._pieces, None)
            if data is None:
                form.end()
                raise BadRequest("`model` is missing; the form needs a part of that name.", param="model")
            held += len(data)
            self._held += form.feed(data)
            if held > HELD and not form.model_seen:
                raise BadRequest(
                    "The form's first MiB does not hold the part `model`, and a form is not held whole: send `model`"
                    " before the file, or name the model in the header x-antiphon-model.",
                    code="model_too_late",
                    param="model",
                )
        return _name(next(value for kind, value in self._held if kind == MODEL))

    def bound(self, model: str) -> None:
        """Note what the provider calls the model."""
        self._written = model.encode()

    @property
    def length(self) -> int | None:
        """How many bytes the provider gets; ``None`` where that depends on what is still to come."""
        if self._length is None or self._form is None:
            return self._length
        named = [value for kind, value in self._held if kind == MODEL]
        return self._length - len(named[0]) + len(self._written) if named and not self._named else None

    def __aiter__(self) -> "Upload":
        return self

    async def __anext__(self) -> bytes:
        self.sent = True
        if self._held:
            held, self._held = self._held, []
            return self._joined(held)
        data = await anext(self._pieces, None)
        if data is None:
            if self._form is not None:
                self._form.end()
            raise StopAsyncIteration
        self.moved()
        return data if self._form is None else self._joined(self._form.feed(data))

    def _joined(self, pieces: list[Piece]) -> bytes:
        form = self._form
        assert form is not None
        out = []
        for kind, data in pieces:
            if kind == CLOSE and not form.model_seen:
                out.append(form.write_part(b"model", self._written))
            out.append(self._written if kind == MODEL else data)
        return b"".join(out)


def _name(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise BadRequest("The part `model` is not UTF-8.", param="model") from None


def _nothing() -> None:
    """What moves when nobody listens."""
