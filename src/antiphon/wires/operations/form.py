"""``multipart/form-data`` as it goes by: every byte is passed on, and the one part named ``model`` is set apart.

Two readers of one form must not see two models, so this reader is strict where readers differ: one delimiter form, CRLF
line ends, one disposition per part, no ``model`` twice, nothing before the first delimiter and nothing behind the last
(RFC 2046 section 5.1.1, RFC 7578 section 4). It holds the head of a part, a model's name, or less than a delimiter.
"""

import re
from collections.abc import Callable

from antiphon.errors import BadRequest, UnsupportedMedia

RAW, MODEL, CLOSE = range(3)
"""Bytes as they came; the value of the part ``model``; the place before the end of the form."""

Piece = tuple[int, bytes]

HEAD_LIMIT = 16 * 1024
PART_LIMIT = 1000
VALUE_LIMIT = 1024

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_QUOTED = rb'"(?:[^"\\\r\n]|\\.)*"'
_PARAMETER = re.compile(rb";[ \t]*(" + _TOKEN + rb")=(" + _TOKEN + rb"|" + _QUOTED + rb")[ \t]*")
_TYPE = re.compile(rb"multipart/form-data[ \t]*((?:" + _PARAMETER.pattern + rb")*)", re.IGNORECASE)
_DISPOSITION = re.compile(rb"form-data[ \t]*((?:" + _PARAMETER.pattern + rb")*)", re.IGNORECASE)
_BOUNDARY = re.compile(rb"[0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?]")


def read_boundary(content_type: bytes) -> bytes:
    """Return the boundary; raises :class:`UnsupportedMedia` for any other type, :class:`BadRequest` without one."""
    match = _TYPE.fullmatch(content_type.strip(b" \t"))
    if match is None:
        shown = f"is {content_type[:60].decode('latin-1')!r}" if content_type else "has no content-type"
        raise UnsupportedMedia(f"The body {shown}; this operation takes multipart/form-data with a boundary.")
    found = [_bare(value) for name, value in _PARAMETER.findall(match[1]) if name.lower() == b"boundary"]
    if len(found) != 1 or not _BOUNDARY.fullmatch(found[0]):
        raise BadRequest("The content-type needs one `boundary` of 1 to 70 characters.", code="malformed_form")
    return found[0]


class FormReader:
    """Reads one form; give it every piece of the body, then call :meth:`end`."""

    __slots__ = ("_delimiter", "_parts", "_rest", "_step", "model_seen")

    def __init__(self, boundary: bytes) -> None:
        self.model_seen = False
        """The part ``model`` has gone by."""
        self._delimiter = b"\r\n--" + boundary
        self._rest = b""
        self._parts = 0
        self._step: Callable[[FormReader, list[Piece]], bool] = FormReader._opening

    def feed(self, data: bytes) -> list[Piece]:
        """Return what may go on; raises :class:`BadRequest` where the form is not valid, or has two models."""
        self._rest = self._rest + data if self._rest else data
        pieces: list[Piece] = []
        while self._step(self, pieces):
            pass
        return pieces

    def end(self) -> None:
        """Check that the form is complete; raises :class:`BadRequest` otherwise."""
        if self._rest or self._step not in (FormReader._epilogue, FormReader._over):
            raise _malformed("it ends before its last delimiter")

    def write_part(self, name: bytes, value: bytes) -> bytes:
        """Return a part to be put where a form is about to be closed."""
        return b'\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b%b' % (name, value, self._delimiter)

    # Steps: each takes what it can of the rest, and says whether the next one has something to do.

    def _opening(self, pieces: list[Piece]) -> bool:
        first = self._delimiter[2:]
        if not self._rest.startswith(first[: len(self._rest)]):
            raise _malformed("it does not begin with its delimiter")
        if len(self._rest) < len(first):
            return False
        self._pass(pieces, len(first))
        self._step = FormReader._delimited
        return True

    def _delimited(self, pieces: list[Piece]) -> bool:
        follows = self._rest[:2]
        if len(follows) < 2:
            return False
        if follows == b"--":
            pieces.append((CLOSE, b""))
            self._step = FormReader._epilogue
        elif follows == b"\r\n":
            self._step = FormReader._head
        else:
            raise _malformed("a delimiter is followed by something else than a line end or `--`")
        self._pass(pieces, 2)
        return True

    def _head(self, pieces: list[Piece]) -> bool:
        end = self._rest.find(b"\r\n\r\n", 0, HEAD_LIMIT)
        if end < 0:
            if len(self._rest) >= HEAD_LIMIT:
                raise _malformed(f"the head of a part is longer than {HEAD_LIMIT} bytes")
            return False
        self._parts += 1
        if self._parts > PART_LIMIT:
            raise _malformed(f"it has more than {PART_LIMIT} parts")
        is_model = _is_model(self._rest[:end])
        if is_model and self.model_seen:
            raise BadRequest("The form has two parts named `model`; send one.", param="model")
        self._pass(pieces, end + 4)
        self._step = FormReader._value if is_model else FormReader._data
        return True

    def _value(self, pieces: list[Piece]) -> bool:
        end = self._rest.find(self._delimiter)
        if end > VALUE_LIMIT or (end < 0 and len(self._rest) > VALUE_LIMIT + len(self._delimiter)):
            raise BadRequest("The part `model` is longer than any name.", param="model")
        if end < 0:
            return False
        self.model_seen = True
        pieces.append((MODEL, self._rest[:end]))
        self._rest = self._rest[end:]
        self._pass(pieces, len(self._delimiter))
        self._step = FormReader._delimited
        return True

    def _data(self, pieces: list[Piece]) -> bool:
        end = self._rest.find(self._delimiter)
        if end >= 0:
            self._pass(pieces, end + len(self._delimiter))
            self._step = FormReader._delimited
            return True
        size = len(self._rest) - len(self._delimiter) + 1
        if size > 0:
            self._pass(pieces, size)
        return False

    def _epilogue(self, pieces: list[Piece]) -> bool:
        if not b"\r\n".startswith(self._rest[:2]):
            raise _malformed("something follows its last delimiter")
        if len(self._rest) < 2:
            return False
        self._pass(pieces, 2)
        self._step = FormReader._over
        return True

    def _over(self, pieces: list[Piece]) -> bool:
        if self._rest:
            raise _malformed("something follows its last delimiter")
        return False

    def _pass(self, pieces: list[Piece], size: int) -> None:
        pieces.append((RAW, self._rest[:size]))
        self._rest = self._rest[size:]


def _is_model(head: bytes) -> bool:
    """Say whether a part is the model; raises :class:`BadRequest` where two readers might not agree on its name."""
    fields = [line.partition(b":") for line in head.split(b"\r\n")]
    if any(not colon or not re.fullmatch(_TOKEN, name) or b"\n" in value or b"\r" in value
           for name, colon, value in fields):  # fmt: skip
        raise _malformed("the head of a part has a line that is no header field")
    values = [value for name, _, value in fields if name.lower() == b"content-disposition"]
    match = _DISPOSITION.fullmatch(values[0].strip(b" \t")) if len(values) == 1 else None
    if match is None:
        raise _malformed("a part needs one `Content-Disposition: form-data` with a name")
    parameters = [(name.lower(), _bare(value)) for name, value in _PARAMETER.findall(match[1])]
    names = [value for name, value in parameters if name == b"name"]
    if len(names) != 1 or b"\\" in names[0] or any(name == b"name*" for name, _ in parameters):
        raise _malformed("a part needs one plain `name`")
    if names[0] != b"model":
        return False
    encodings = [value for name, _, value in fields if name.lower() == b"content-transfer-encoding"]
    if encodings or any(name.startswith(b"filename") for name, _ in parameters):
        raise BadRequest("The part `model` must be plain text, not a file and not encoded.", param="model")
    return True


def _bare(value: bytes) -> bytes:
    return value[1:-1] if value.startswith(b'"') else value


def _malformed(how: str) -> BadRequest:
    return BadRequest(f"The body is not a valid form: {how} (RFC 7578).", code="malformed_form")
