"""What a provider wants in the head of a request before it reads the body: its version, and who asks.

Any credential of the right form will do; OpenAI's operations ask for none. Sources: the error pages of the Messages API
and of the Gemini API, and the IAM User Guide, "Signing AWS API requests".
"""

import re
from collections.abc import Callable, Mapping
from urllib.parse import parse_qs

from antiphon.errors import BadRequest, CallError, Forbidden, Unauthorized
from antiphon.sim.routes import Route

Heads = Mapping[bytes, bytes]

_SIGNATURE = re.compile(
    rb"AWS4-HMAC-SHA256 Credential=[^/,\s]+/\d{8}/[a-z0-9-]+/[a-z0-9-]+/aws4_request,\s*"
    rb"SignedHeaders=([a-z0-9;-]+),\s*Signature=[0-9a-f]{64}"
)
_DATE = re.compile(rb"\d{8}T\d{6}Z")
_VERSION = re.compile(rb"\d{4}-\d{2}-\d{2}")


def admit(route: Route, headers: Heads) -> None:
    """Raise the error of a request whose head its provider refuses; names of ``headers`` are in lower case."""
    check = _CHECKS.get(route.operation)
    if check is not None:
        check(route, headers)


def _bearer(headers: Heads) -> bool:
    scheme, _, token = headers.get(b"authorization", b"").partition(b" ")
    return scheme.lower() == b"bearer" and bool(token.strip())


def _messages(route: Route, headers: Heads) -> None:
    if not headers.get(b"x-api-key") and not _bearer(headers):
        raise Unauthorized("Authentication is missing: send `x-api-key` or `Authorization: Bearer`.")
    version = headers.get(b"anthropic-version")
    if version is None:
        raise BadRequest("anthropic-version: header is required", param="anthropic-version")
    if not _VERSION.fullmatch(version):
        shown = version.decode("latin-1")
        raise BadRequest(f"anthropic-version: {shown!r} is not a valid version", param="anthropic-version")


def _generate(route: Route, headers: Heads) -> None:
    if not headers.get(b"x-goog-api-key") and not _bearer(headers) and "key" not in parse_qs(route.query):
        raise Forbidden("Method doesn't allow unregistered callers; send `x-goog-api-key`.")
    if route.stream and parse_qs(route.query).get("alt") != ["sse"]:
        raise BadRequest("The simulator streams server-sent events only; add ?alt=sse.", param="alt")


def _converse(route: Route, headers: Heads) -> None:
    if _bearer(headers):
        return
    proof = headers.get(b"authorization", b"")
    if not proof:
        raise Forbidden("Missing Authentication Token")
    signed = _SIGNATURE.fullmatch(proof)
    if signed is None:
        raise _incomplete("Authorization is neither a bearer token nor a whole AWS4-HMAC-SHA256 signature.")
    names = signed[1].split(b";")
    if names != sorted(names) or b"host" not in names or b"x-amz-date" not in names:
        raise _incomplete("SignedHeaders must be sorted and hold host and x-amz-date.")
    if missing := [name.decode() for name in names if name not in headers]:
        raise _incomplete(f"SignedHeaders names headers that were not sent: {', '.join(missing)}.")
    if not _DATE.fullmatch(headers[b"x-amz-date"]):
        raise _incomplete("x-amz-date must have the form 20260102T030405Z.")


def _incomplete(message: str) -> CallError:
    return Forbidden(message)


_CHECKS: dict[str, Callable[[Route, Heads], None]] = {
    "messages": _messages,
    "count_tokens": _messages,
    "generate": _generate,
    "gemini_count_tokens": _generate,
    "gemini_embed": _generate,
    "gemini_embed_batch": _generate,
    "converse": _converse,
}
