"""What is asked of a local model, read out of OpenAI's embeddings request, and how it is refused."""

from typing import Any

import msgspec

MOST_TEXTS = 2048
MOST_CHARACTERS = 4 * 1024 * 1024
"""Characters of all texts of one request."""

_FORMATS = {None: False, "float": False, "base64": True}


class Refused(Exception):
    """A request that gets an error for an answer; ``code`` is a stable word for programs."""

    def __init__(
        self, status: int, code: str, message: str, *, param: str | None = None, retry_after: int | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message
        self.param, self.retry_after = param, retry_after

    def body(self) -> bytes:
        """Return OpenAI's error object."""
        kind = "invalid_request_error" if self.status < 500 else "server_error"
        problem = {"message": self.message, "type": kind, "param": self.param, "code": self.code}
        return msgspec.json.encode({"error": problem})


class Asked(msgspec.Struct, frozen=True):
    """A request that can be tried: at least one text, none empty."""

    model: str
    texts: list[str]
    dimensions: int | None
    base64: bool


class _Body(msgspec.Struct):
    model: str
    input: Any
    dimensions: int | None = None
    encoding_format: str | None = None


_decode = msgspec.json.Decoder(_Body).decode


def read(body: bytes) -> Asked:
    """Return what a body asks; raises :class:`Refused` with status 400 and the field at fault."""
    try:
        request = _decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise invalid(f"The request is not what local models take: {error}.") from None
    if request.encoding_format not in _FORMATS:
        raise invalid("`encoding_format` must be `float` or `base64`.", "encoding_format")
    if request.dimensions is not None and request.dimensions < 1:
        raise invalid("`dimensions` must be at least 1.", "dimensions")
    return Asked(request.model, _texts(request.input), request.dimensions, _FORMATS[request.encoding_format])


def _texts(value: Any) -> list[str]:
    texts = [value] if type(value) is str else value
    if type(texts) is not list or not texts:
        raise invalid("`input` must be a text or a list of at least one text.", "input")
    if any(type(text) is int or type(text) is list for text in texts):
        problem = "`input` holds token ids; local models take text, because each has a tokenizer of its own."
        raise invalid(problem, "input", "tokens_not_supported")
    for number, text in enumerate(texts):
        if type(text) is not str or not text:
            raise invalid(f"`input[{number}]` must be a text that is not empty.", "input")
    if len(texts) > MOST_TEXTS:
        raise invalid(f"`input` has {len(texts)} texts, and at most {MOST_TEXTS} go into one request.", "input")
    if (size := sum(map(len, texts))) > MOST_CHARACTERS:
        problem = f"`input` has {size} characters, and at most {MOST_CHARACTERS} go into one request; send fewer texts."
        raise invalid(problem, "input")
    return texts


def invalid(message: str, param: str | None = None, code: str = "invalid_request") -> Refused:
    """Return the refusal of a request that is at fault itself."""
    return Refused(400, code, message, param=param)
