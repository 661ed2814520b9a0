"""Reads ``multipart/form-data`` while it passes: every byte is passed on, and the part named ``model`` is separated.

Antiphon and the provider must not see two different models in one form, so this reader is strict where readers differ:
it requires one form of delimiter, CRLF line ends, one disposition per part, no second ``model``, and nothing before the
first delimiter or after the last (RFC 2046 section 5.1.1, RFC 7578 section 4). It never holds more than the head of a
part, a model's name, or a part of a delimiter.
"""

import re
from collections.abc import Callable

from antiphon.errors import BadRequest, UnsupportedMedia

RAW, MODEL, CLOSE = range(3)
"""The kinds of piece: unchanged bytes; the value of the part ``model``; the position before the end of the form."""

Piece = tuple[int, bytes]

HEAD_LIMIT = 16 * 1024
PART_LIMIT = 1000
VALUE_LIMIT = 1024

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_QUOTED_STRING = rb'"(?:[^"\\\r\n]|\\.)*"'
_PARAMETER = re.compile(rb";[ \t]*(" + _TOKEN + rb")=(" + _TOKEN + rb"|" + _QUOTED_STRING + rb")[ \t]*")
_TYPE = re.compile(rb"multipart/form-data[ \t]*((?:" + _PARAMETER.pattern + rb")*)", re.IGNORECASE)
_DISPOSITION = re.compile(rb"form-data[ \t]*((?:" + _PARAMETER.pattern + rb")*)", re.IGNORECASE)
_BOUNDARY = re.compile(rb"[0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?]")


def read_boundary(content_type: bytes) -> bytes:
    """Return the boundary of a form's content type.

    Raises :class:`UnsupportedMedia` for any other type, :class:`BadRequest` for a form without a usable boundary.
    """
    match = _TYPE.fullmatch(content_type.strip(b" \t"))
    if match is None:
        problem = f"is {content_type[:60].decode('latin-1')!r}" if content_type else "has no content-type"
        raise UnsupportedMedia(f"The body {problem}; this operation takes multipart/form-data with a boundary.")
    boundaries = [_strip_quotes(value) for name, value in _PARAMETER.findall(match[1]) if name.lower() == b"boundary"]
    if len(boundaries) != 1 or not _BOUNDARY.fullmatch(boundaries[0]):
        raise BadRequest("The content-type needs one `boundary` of 1 to 70 characters.", code="malformed_form")
    return boundaries[0]


class FormReader:
    """Reads one form; feed it every piece of the body, then call :meth:`end`."""

    __slots__ = ("_delimiter", "_parts", "_rest", "_step", "model_seen")

    def __init__(self, boundary: bytes) -> None:
        self.model_seen = False
        """The part ``model`` has been read."""
        self._delimiter = b"\r\n--" + boundary
        self._rest = b""
        self._parts = 0
        self._step: Callable[[FormReader, list[Piece]], bool] = FormReader._read_first_delimiter

    def feed(self, data: bytes) -> list[Piece]:
        """Return the pieces to pass on; raises :class:`BadRequest` for an invalid form or a second model."""
        self._rest = self._rest + data if self._rest else data
        pieces: list[Piece] = []
        while self._step(self, pieces):
            pass
        return pieces

    def end(self) -> None:
        """Check that the form is complete; raises :class:`BadRequest` if it is not."""
        if self._rest or self._step not in (FormReader._read_epilogue, FormReader._refuse_more):
            raise _make_error("it ends before its last delimiter")

    def write_part(self, name: bytes, value: bytes) -> bytes:
        """Return a part that can be inserted at :data:`CLOSE`."""
        return b'\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b%b' % (name, value, self._delimiter)

    # Each step consumes bytes of the rest, and returns whether the next step can continue.

    def _read_first_delimiter(self, pieces: list[Piece]) -> bool:
        first = self._delimiter[2:]
        if not self._rest.startswith(first[: len(self._rest)]):
            raise _make_error("it does not begin with its delimiter")
        if len(self._rest) < len(first):
            return False
        self._pass_on(pieces, len(first))
        self._step = FormReader._read_delimiter_end
        return True

    def _read_delimiter_end(self, pieces: list[Piece]) -> bool:
        end = self._rest[:2]
        if len(end) < 2:
            return False
        if end == b"--":
            pieces.append((CLOSE, b""))
            self._step = FormReader._read_epilogue
        elif end == b"\r\n":
            self._step = FormReader._read_head
        else:
            raise _make_error("a delimiter is followed by something else than a line end or `--`")
        self._pass_on(pieces, 2)
        return True

    def _read_head(self, pieces: list[Piece]) -> bool:
        end = self._rest.find(b"\r\n\r\n", 0, HEAD_LIMIT)
        if end < 0:
            if len(self._rest) >= HEAD_LIMIT:
                raise _make_error(f"the head of a part is longer than {HEAD_LIMIT} bytes")
            return False
        self._parts += 1
        if self._parts > PART_LIMIT:
            raise _make_error(f"it has more than {PART_LIMIT} parts")
        is_model = _is_model(self._rest[:end])
        if is_model and self.model_seen:
            raise BadRequest("The form has two parts named `model`; send one.", param="model")
        self._pass_on(pieces, end + 4)
        self._step = FormReader._read_model if is_model else FormReader._pass_data
        return True

    def _read_model(self, pieces: list[Piece]) -> bool:
        end = self._rest.find(self._delimiter)
        if end > VALUE_LIMIT or (end < 0 and len(self._rest) > VALUE_LIMIT + len(self._delimiter)):
            raise BadRequest("The part `model` is longer than any name.", param="model")
        if end < 0:
            return False
        self.model_seen = True
        pieces.append((MODEL, self._rest[:end]))
        self._rest = self._rest[end:]
        self._pass_on(pieces, len(self._delimiter))
        self._step = FormReader._read_delimiter_end
        return True

    def _pass_data(self, pieces: list[Piece]) -> bool:
        end = self._rest.find(self._delimiter)
        if end >= 0:
            self._pass_on(pieces, end + len(self._delimiter))
            self._step = FormReader._read_delimiter_end
            return True
        size = len(self._rest) - len(self._delimiter) + 1
        if size > 0:
            self._pass_on(pieces, size)
        return False

    def _read_epilogue(self, pieces: list[Piece]) -> bool:
        if not b"\r\n".startswith(self._rest[:2]):
            raise _make_error("something follows its last delimiter")
        if len(self._rest) < 2:
            return False
        self._pass_on(pieces, 2)
        self._step = FormReader._refuse_more
        return True

    def _refuse_more(self, pieces: list[Piece]) -> bool:
        if self._rest:
            raise _make_error("something follows its last delimiter")
        return False

    def _pass_on(self, pieces: list[Piece], size: int) -> None:
        pieces.append((RAW, self._rest[:size]))
        self._rest = self._rest[size:]


def _is_model(head: bytes) -> bool:
    """Say whether a part is the model; raises :class:`BadRequest` if readers might disagree about its name."""
    fields = [line.partition(b":") for line in head.split(b"\r\n")]
    if any(not colon or not re.fullmatch(_TOKEN, name) or b"\n" in value or b"\r" in value
           for name, colon, value in fields):  # fmt: skip
        raise _make_error("the head of a part has a line that is no header field")
    values = [value for name, _, value in fields if name.lower() == b"content-disposition"]
    match = _DISPOSITION.fullmatch(values[0].strip(b" \t")) if len(values) == 1 else None
    if match is None:
        raise _make_error("a part needs one `Content-Disposition: form-data` with a name")
    parameters = [(name.lower(), _strip_quotes(value)) for name, value in _PARAMETER.findall(match[1])]
    names = [value for name, value in parameters if name == b"name"]
    if len(names) != 1 or b"\\" in names[0] or any(name == b"name*" for name, _ in parameters):
        raise _make_error("a part needs one plain `name`")
    if names[0] != b"model":
        return False
    encodings = [value for name, _, value in fields if name.lower() == b"content-transfer-encoding"]
    if encodings or any(name.startswith(b"filename") for name, _ in parameters):
        raise BadRequest("The part `model` must be plain text, not a file and not encoded.", param="model")
    return True


def _strip_quotes(value: bytes) -> bytes:
    return value[1:-1] if value.startswith(b'"') else value


def _make_error(problem: str) -> BadRequest:
    return BadRequest(f"The body is not a valid form: {problem} (RFC 7578).", code="malformed_form")
