"""AWS Signature Version 4 as a pure function (IAM User Guide, section "Create a signed AWS API request").

Before signing, a path is encoded a second time, and its dot segments and double slashes are removed.
Every service except S3 requires this: ``/model/x-v1%3A0/converse`` is signed as ``/model/x-v1%253A0/converse``.
"""

import hashlib
import hmac
import time
from collections.abc import Iterable
from urllib.parse import quote, unquote

from antiphon.types import Secret, Signing

Header = tuple[str, str]

_ALGORITHM = "AWS4-HMAC-SHA256"
# Proxies may change or add these, the transport writes the length, and :func:`sign` adds the last three.
_UNSIGNED = frozenset(
    {
        "connection",
        "content-length",
        "expect",
        "transfer-encoding",
        "user-agent",
        "x-amzn-trace-id",
        "authorization",
        "x-amz-date",
        "x-amz-security-token",
    }
)


def sign(
    method: str,
    path: str,
    query: str,
    headers: Iterable[Header],
    body: bytes,
    *,
    access_key: str,
    secret_key: str,
    session_token: str,
    region: str,
    service: str,
    now: float,
) -> list[Header]:
    """Return the headers to add to a request: ``x-amz-date``, ``x-amz-security-token`` (if any), ``authorization``.

    ``path`` and ``query`` are those of the request line, without ``?``. ``headers`` must include ``host``. ``now`` is
    seconds since the epoch. An empty ``session_token`` is none.
    """
    timestamp = _format_time(now)
    key = _derive_key(secret_key, timestamp[:8], region, service)
    return _sign(method, path, query, headers, body, access_key, session_token, f"{region}/{service}", timestamp, key)


class Signer:
    """Signs requests of one service in one region; derives the signing key once a day. Its ``repr`` has no secret."""

    __slots__ = ("_access_key", "_day", "_key", "_region", "_secret_key", "_service", "_session_token")

    def __init__(
        self, access_key: str, secret_key: Secret, session_token: Secret | None, region: str, service: str
    ) -> None:
        self._access_key = access_key
        self._secret_key = secret_key
        self._session_token = session_token
        self._region = region
        self._service = service
        self._day = ""
        self._key = b""

    def __repr__(self) -> str:
        return f"Signer({self._service} in {self._region})"

    def sign(
        self, method: str, path: str, query: str, headers: Iterable[Header], body: bytes, now: float
    ) -> list[Header]:
        """Return the headers to add; see :func:`sign`."""
        timestamp = _format_time(now)
        if timestamp[:8] != self._day:
            self._key = _derive_key(self._secret_key.reveal(), timestamp[:8], self._region, self._service)
            self._day = timestamp[:8]
        token = self._session_token.reveal() if self._session_token else ""
        scope = f"{self._region}/{self._service}"
        return _sign(method, path, query, headers, body, self._access_key, token, scope, timestamp, self._key)


def make_signer(signing: Signing) -> Signer:
    """Return the signer of a target; ``signing`` has its region, service, access key, secret key and session token."""
    params, secrets = signing.params, signing.secrets
    access_key = secrets["access_key"].reveal()
    return Signer(access_key, secrets["secret_key"], secrets.get("session_token"), params["region"], params["service"])


def normalize_path(path: str) -> str:
    """Return the canonical path: without dot segments and double slashes, and encoded again."""
    if "//" in path or "/." in path:
        path = _remove_dots(path)
    return quote(path or "/", safe="/~")


def normalize_query(query: str) -> str:
    """Return the canonical query: every name and value encoded, sorted by encoded name, then by value."""
    if not query:
        return ""
    pairs = (pair.partition("=") for pair in query.split("&") if pair)
    return "&".join(
        f"{name}={value}"
        for name, value in sorted((_encode_once(name), _encode_once(value)) for name, _, value in pairs)
    )


def normalize_headers(headers: Iterable[Header]) -> tuple[str, str]:
    """Return the canonical header lines, and the names joined by semicolons."""
    values: dict[str, str] = {}
    for name, value in headers:
        name, value = name.lower(), " ".join(value.split())
        values[name] = f"{values[name]},{value}" if name in values else value
    names = sorted(values)
    return "".join([f"{name}:{values[name]}\n" for name in names]), ";".join(names)


def _sign(
    method: str,
    path: str,
    query: str,
    headers: Iterable[Header],
    body: bytes,
    access_key: str,
    token: str,
    region_and_service: str,
    timestamp: str,
    key: bytes,
) -> list[Header]:
    new_headers = [("x-amz-date", timestamp)]
    if token:
        new_headers.append(("x-amz-security-token", token))
    signed_headers = [pair for pair in headers if pair[0].lower() not in _UNSIGNED]
    lines, names = normalize_headers(signed_headers + new_headers)
    digest = hashlib.sha256(body).hexdigest()
    request = f"{method}\n{normalize_path(path)}\n{normalize_query(query)}\n{lines}\n{names}\n{digest}"
    scope = f"{timestamp[:8]}/{region_and_service}/aws4_request"
    text = f"{_ALGORITHM}\n{timestamp}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    authorization = f"{_ALGORITHM} Credential={access_key}/{scope}, SignedHeaders={names}, Signature={signature}"
    new_headers.append(("authorization", authorization))
    return new_headers


def _derive_key(secret_key: str, day: str, region: str, service: str) -> bytes:
    key = f"AWS4{secret_key}".encode()
    for step in (day, region, service, "aws4_request"):
        key = hmac.digest(key, step.encode(), "sha256")
    return key


def _format_time(now: float) -> str:
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))


def _encode_once(text: str) -> str:
    """Encode a name or value as a signature requires, no matter how much of it is encoded already."""
    return quote(unquote(text, errors="surrogateescape"), safe="-_.~", errors="surrogateescape")


def _remove_dots(path: str) -> str:
    """Remove dot segments (RFC 3986 section 5.2.4) and empty segments; keep a slash at the end."""
    segments: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            del segments[-1:]
        elif segment not in ("", "."):
            segments.append(segment)
    result = "/" + "/".join(segments)
    return result + "/" if segments and path.endswith("/") else result
