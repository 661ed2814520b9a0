"""AWS Signature Version 4 as a pure function (IAM User Guide, section "Create a signed AWS API request").

A path is encoded once more than it is on the network and its dot segments and double slashes are taken out, as every
service but S3 wants it: ``/model/x-v1%3A0/converse`` is signed as ``/model/x-v1%253A0/converse``.
"""

import hashlib
import hmac
import time
from collections.abc import Iterable
from urllib.parse import quote, unquote

from antiphon.types import Secret, Signing

Header = tuple[str, str]

_ALGORITHM = "AWS4-HMAC-SHA256"
# Hops may change or add these on the way, the transport writes the length, and the last three are ours to add.
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

    ``path`` and ``query`` are as they stand in the request line, without ``?``; ``headers`` must hold ``host``; ``now``
    is seconds since the epoch; an empty ``session_token`` is none.
    """
    stamp = _stamp(now)
    key = _signing_key(secret_key, stamp[:8], region, service)
    return _signed(method, path, query, headers, body, access_key, session_token, f"{region}/{service}", stamp, key)


class Signer:
    """Signs requests of one service in one region; derives the signing key once a day. Shows no secret."""

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
        stamp = _stamp(now)
        if stamp[:8] != self._day:
            self._key = _signing_key(self._secret_key.reveal(), stamp[:8], self._region, self._service)
            self._day = stamp[:8]
        token = self._session_token.reveal() if self._session_token else ""
        place = f"{self._region}/{self._service}"
        return _signed(method, path, query, headers, body, self._access_key, token, place, stamp, self._key)


def signer(signing: Signing) -> Signer:
    """Return the signer of a target; ``signing`` holds region and service, access key, secret key and session token."""
    params, secrets = signing.params, signing.secrets
    access_key = secrets["access_key"].reveal()
    return Signer(access_key, secrets["secret_key"], secrets.get("session_token"), params["region"], params["service"])


def canonical_path(path: str) -> str:
    """Return the path to sign: without dot segments and double slashes, and encoded once more."""
    if "//" in path or "/." in path:
        path = _without_dots(path)
    return quote(path or "/", safe="/~")


def canonical_query(query: str) -> str:
    """Return the query to sign: every name and value encoded, sorted by encoded name, then value."""
    if not query:
        return ""
    pairs = (pair.partition("=") for pair in query.split("&") if pair)
    return "&".join(
        f"{name}={value}" for name, value in sorted((_recoded(name), _recoded(value)) for name, _, value in pairs)
    )


def canonical_headers(headers: Iterable[Header]) -> tuple[str, str]:
    """Return the header lines to sign and their names joined by semicolons."""
    values: dict[str, str] = {}
    for name, value in headers:
        name, value = name.lower(), " ".join(value.split())
        values[name] = f"{values[name]},{value}" if name in values else value
    names = sorted(values)
    return "".join([f"{name}:{values[name]}\n" for name in names]), ";".join(names)


def _signed(
    method: str,
    path: str,
    query: str,
    headers: Iterable[Header],
    body: bytes,
    access_key: str,
    token: str,
    place: str,
    stamp: str,
    key: bytes,
) -> list[Header]:
    added = [("x-amz-date", stamp)]
    if token:
        added.append(("x-amz-security-token", token))
    kept = [pair for pair in headers if pair[0].lower() not in _UNSIGNED]
    lines, names = canonical_headers(kept + added)
    digest = hashlib.sha256(body).hexdigest()
    request = f"{method}\n{canonical_path(path)}\n{canonical_query(query)}\n{lines}\n{names}\n{digest}"
    scope = f"{stamp[:8]}/{place}/aws4_request"
    text = f"{_ALGORITHM}\n{stamp}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    proof = f"{_ALGORITHM} Credential={access_key}/{scope}, SignedHeaders={names}, Signature={signature}"
    added.append(("authorization", proof))
    return added


def _signing_key(secret_key: str, day: str, region: str, service: str) -> bytes:
    key = f"AWS4{secret_key}".encode()
    for step in (day, region, service, "aws4_request"):
        key = hmac.digest(key, step.encode(), "sha256")
    return key


def _stamp(now: float) -> str:
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))


def _recoded(text: str) -> str:
    """Encode a name or value the one way a signature allows, however much of it was encoded."""
    return quote(unquote(text, errors="surrogateescape"), safe="-_.~", errors="surrogateescape")


def _without_dots(path: str) -> str:
    """Remove dot segments (RFC 3986 section 5.2.4) and empty ones; a slash at the end stays."""
    kept: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            del kept[-1:]
        elif segment not in ("", "."):
            kept.append(segment)
    joined = "/" + "/".join(kept)
    return joined + "/" if kept and path.endswith("/") else joined
