"""Reads OpenAI's embeddings request, and writes the error of a request that is rejected."""

from typing import Any

import msgspec

MAX_TEXTS = 2048
MAX_CHARACTERS = 4 * 1024 * 1024
"""Characters of all texts of one request."""

_FORMATS = {None: False, "float": False, "base64": True}


class RequestError(Exception):
    """The error that answers a request; ``code`` is a stable word for programs."""

    def __init__(
        self, status: int, code: str, message: str, *, param: str | None = None, retry_after: int | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message
        self.param, self.retry_after = param, retry_after

    def write_body(self) -> bytes:
        """Return OpenAI's error object."""
        kind = "invalid_request_error" if self.status < 500 else "server_error"
        error = {"message": self.message, "type": kind, "param": self.param, "code": self.code}
        return msgspec.json.encode({"error": error})


class EmbeddingRequest(msgspec.Struct, frozen=True):
    """A valid request: at least one text, none empty."""

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


def read_request(data: bytes) -> EmbeddingRequest:
    """Return the request in a body; raises :class:`RequestError` with status 400 and the field at fault."""
    try:
        body = _decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise make_invalid_request(f"The request is not an embeddings request for local models: {error}.") from None
    if body.encoding_format not in _FORMATS:
        raise make_invalid_request("`encoding_format` must be `float` or `base64`.", "encoding_format")
    if body.dimensions is not None and body.dimensions < 1:
        raise make_invalid_request("`dimensions` must be at least 1.", "dimensions")
    return EmbeddingRequest(body.model, _read_texts(body.input), body.dimensions, _FORMATS[body.encoding_format])


def _read_texts(value: Any) -> list[str]:
    texts = [value] if type(value) is str else value
    if type(texts) is not list or not texts:
        raise make_invalid_request("`input` must be a text or a list of at least one text.", "input")
    if any(type(text) is int or type(text) is list for text in texts):
        problem = "`input` holds token ids; local models take text, because each model has its own tokenizer."
        raise make_invalid_request(problem, "input", "tokens_not_supported")
    for number, text in enumerate(texts):
        if type(text) is not str or not text:
            raise make_invalid_request(f"`input[{number}]` must be a text that is not empty.", "input")
    if len(texts) > MAX_TEXTS:
        problem = f"`input` has {len(texts)} texts; at most {MAX_TEXTS} are allowed in one request."
        raise make_invalid_request(problem, "input")
    if (size := sum(map(len, texts))) > MAX_CHARACTERS:
        problem = f"`input` has {size} characters; at most {MAX_CHARACTERS} are allowed in one request."
        raise make_invalid_request(f"{problem} Send fewer texts.", "input")
    return texts


def make_invalid_request(message: str, param: str | None = None, code: str = "invalid_request") -> RequestError:
    """Return the error of a request that is itself at fault (status 400)."""
    return RequestError(400, code, message, param=param)
