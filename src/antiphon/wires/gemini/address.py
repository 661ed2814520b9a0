"""The address of a call on this wire: ``models/{model}:{method}`` and the query.

This wire's own servers accept a key in the query. Antiphon refuses it, because addresses end up in logs and histories.
"""

from urllib.parse import parse_qs, unquote

import msgspec

from antiphon.errors import BadRequest, NotFound, Unauthorized

METHODS = {
    "generateContent": ("generate", False),
    "streamGenerateContent": ("generate", True),
    "countTokens": ("gemini_count_tokens", False),
    "embedContent": ("gemini_embed", False),
    "batchEmbedContents": ("gemini_embed_batch", False),
}
"""Method in an address to the operation, and whether its answer is a stream."""

_CREDENTIALS = ("key", "access_token", "$key", "$access_token", "oauth_token")


class Address(msgspec.Struct, frozen=True):
    """The operation, model and kind of answer that a path names."""

    operation: str
    model: str
    stream: bool


def read_address(tail: str, query: str) -> Address:
    """Read the path after the version, still percent-encoded, and the query without its question mark.

    Clients write the version as ``/v1beta/`` or ``/v1/``, as the official one does since its version 3. Some leave out
    ``models/`` before a name that contains a slash.

    Raises :class:`~antiphon.errors.Unauthorized` for a key in the query, :class:`~antiphon.errors.NotFound` for
    another path, and :class:`~antiphon.errors.BadRequest` for a stream in the form of a JSON array, which is not
    supported: every official client asks for server-sent events.
    """
    params = parse_qs(query, keep_blank_values=True)
    if name := next((name for name in _CREDENTIALS if name in params), None):
        raise Unauthorized(
            f"A credential in a URL (?{name}=) ends up in logs and is refused; send it in the x-goog-api-key header."
        )
    name, _, method = unquote(tail).rpartition(":")
    model = name.removeprefix("models/")
    if method not in METHODS or "/" not in name or not model:
        methods = ", ".join(METHODS)
        raise NotFound(f"This path is not known; expected models/{{model}}:{{method}} with a method of: {methods}.")
    operation, stream = METHODS[method]
    if stream and (params.get("alt") or params.get("$alt")) != ["sse"]:
        raise BadRequest("A stream is sent as server-sent events only; add ?alt=sse to the URL.", param="alt")
    return Address(operation, model, stream)
