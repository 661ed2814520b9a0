"""What each provider requires in the headers of a request before it reads the body: a version and a credential.

Any credential of the right form is accepted. OpenAI's operations require none. Sources: the error pages of the Messages
API and of the Gemini API, and the IAM User Guide, "Signing AWS API requests".
"""

import re
from collections.abc import Callable, Mapping
from urllib.parse import parse_qs

from antiphon.errors import BadRequest, Forbidden, Unauthorized
from antiphon.sim.routes import Route

RequestHeaders = Mapping[bytes, bytes]

_SIGNATURE = re.compile(
    rb"AWS4-HMAC-SHA256 Credential=[^/,\s]+/\d{8}/[a-z0-9-]+/[a-z0-9-]+/aws4_request,\s*"
    rb"SignedHeaders=([a-z0-9;-]+),\s*Signature=[0-9a-f]{64}"
)
_DATE = re.compile(rb"\d{8}T\d{6}Z")
_VERSION = re.compile(rb"\d{4}-\d{2}-\d{2}")


def check_headers(route: Route, headers: RequestHeaders) -> None:
    """Raise the provider's error for a request whose headers it rejects; header names must be in lower case."""
    check = _CHECKS.get(route.operation)
    if check is not None:
        check(route, headers)


def _has_bearer_token(headers: RequestHeaders) -> bool:
    scheme, _, token = headers.get(b"authorization", b"").partition(b" ")
    return scheme.lower() == b"bearer" and bool(token.strip())


def _check_messages(route: Route, headers: RequestHeaders) -> None:
    if not headers.get(b"x-api-key") and not _has_bearer_token(headers):
        raise Unauthorized("Authentication is missing: send `x-api-key` or `Authorization: Bearer`.")
    version = headers.get(b"anthropic-version")
    if version is None:
        raise BadRequest("anthropic-version: header is required", param="anthropic-version")
    if not _VERSION.fullmatch(version):
        text = version.decode("latin-1")
        raise BadRequest(f"anthropic-version: {text!r} is not a valid version", param="anthropic-version")


def _check_gemini(route: Route, headers: RequestHeaders) -> None:
    if not headers.get(b"x-goog-api-key") and not _has_bearer_token(headers) and "key" not in parse_qs(route.query):
        raise Forbidden("Method doesn't allow unregistered callers; send `x-goog-api-key`.")
    if route.stream and parse_qs(route.query).get("alt") != ["sse"]:
        raise BadRequest("The simulator streams server-sent events only; add ?alt=sse.", param="alt")


def _check_converse(route: Route, headers: RequestHeaders) -> None:
    if _has_bearer_token(headers):
        return
    authorization = headers.get(b"authorization", b"")
    if not authorization:
        raise Forbidden("Missing Authentication Token")
    signature = _SIGNATURE.fullmatch(authorization)
    if signature is None:
        raise Forbidden("Authorization is neither a bearer token nor a complete AWS4-HMAC-SHA256 signature.")
    names = signature[1].split(b";")
    if names != sorted(names) or b"host" not in names or b"x-amz-date" not in names:
        raise Forbidden("SignedHeaders must be sorted and hold host and x-amz-date.")
    if missing := [name.decode() for name in names if name not in headers]:
        raise Forbidden(f"SignedHeaders names headers that were not sent: {', '.join(missing)}.")
    if not _DATE.fullmatch(headers[b"x-amz-date"]):
        raise Forbidden("x-amz-date must have the form 20260102T030405Z.")


_CHECKS: dict[str, Callable[[Route, RequestHeaders], None]] = {
    "messages": _check_messages,
    "count_tokens": _check_messages,
    "generate": _check_gemini,
    "gemini_count_tokens": _check_gemini,
    "gemini_embed": _check_gemini,
    "gemini_embed_batch": _check_gemini,
    "converse": _check_converse,
}
