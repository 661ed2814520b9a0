"""A body on its way from a caller to a provider: read once, as fast as it is taken, never held as a whole."""

from collections.abc import AsyncIterator, Callable

from antiphon.errors import BadRequest
from antiphon.wires.operations.form import CLOSE, MODEL, FormReader, Piece

HELD_LIMIT = 1024 * 1024
"""Bytes of a form that are held while its model is looked for."""


class Upload:
    """The pieces of one body. ``length`` is their sum, where the caller said it.

    Call :meth:`read_model` first where the body is a ``form``; ``named`` gives the model instead of the form. Then
    :meth:`start` it once, towards the provider.
    """

    __slots__ = ("_form", "_held", "_length", "_named", "_pieces", "is_started")

    def __init__(
        self, pieces: AsyncIterator[bytes], length: int | None, form: FormReader | None = None, named: str = ""
    ) -> None:
        self.is_started = False
        """A provider was given a first piece, so the body cannot go to another one."""
        self._pieces = pieces
        self._length = length
        self._form = form
        self._named = named
        self._held: list[Piece] = []

    async def read_model(self) -> str:
        """Return the model's name; raises :class:`BadRequest` where it is not in the first MiB of the form."""
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
            if held > HELD_LIMIT and not form.model_seen:
                raise BadRequest(
                    "The form's first MiB does not hold the part `model`, and a form is not held whole: send `model`"
                    " before the file, or name the model in the header x-antiphon-model.",
                    code="model_too_late",
                    param="model",
                )
        return _decode_name(next(value for kind, value in self._held if kind == MODEL))

    def count_bytes(self, model: str) -> int | None:
        """Return how many bytes a provider gets that knows the model as ``model``.

        ``None`` where that depends on what is still to come.
        """
        if self._length is None or self._form is None:
            return self._length
        written = [value for kind, value in self._held if kind == MODEL]
        return self._length - len(written[0]) + len(model.encode()) if written and not self._named else None

    def start(self, model: str, on_piece: Callable[[], None]) -> AsyncIterator[bytes]:
        """Return the pieces for a provider that knows the model as ``model``; ``on_piece`` is called with each.

        Iterating raises what reading from the caller raises, and :class:`BadRequest` for a form that is not valid.
        """
        return _UploadPieces(self, self._pieces, self._form, model.encode(), on_piece)

    def take_held(self) -> list[Piece]:
        """Return the pieces that were read while the model was looked for, and forget them."""
        held, self._held = self._held, []
        return held


class _UploadPieces:
    """The pieces of an upload, with the model's name as one provider knows it."""

    __slots__ = ("_form", "_model", "_on_piece", "_pieces", "_upload")

    def __init__(
        self,
        upload: Upload,
        pieces: AsyncIterator[bytes],
        form: FormReader | None,
        model: bytes,
        on_piece: Callable[[], None],
    ) -> None:
        self._upload = upload
        self._pieces = pieces
        self._form = form
        self._model = model
        self._on_piece = on_piece

    def __aiter__(self) -> "_UploadPieces":
        return self

    async def __anext__(self) -> bytes:
        self._upload.is_started = True
        if held := self._upload.take_held():
            return self._join(held)
        data = await anext(self._pieces, None)
        if data is None:
            if self._form is not None:
                self._form.end()
            raise StopAsyncIteration
        self._on_piece()
        return data if self._form is None else self._join(self._form.feed(data))

    def _join(self, pieces: list[Piece]) -> bytes:
        form = self._form
        if form is None:
            return b"".join(value for _, value in pieces)
        out = []
        for kind, data in pieces:
            if kind == CLOSE and not form.model_seen:
                out.append(form.write_part(b"model", self._model))
            out.append(self._model if kind == MODEL else data)
        return b"".join(out)


def _decode_name(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise BadRequest("The part `model` is not UTF-8.", param="model") from None
