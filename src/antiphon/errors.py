"""Every error that Antiphon raises, in one tree.

AntiphonError
├── ConfigError                   the configuration has faults; each has a file, a line, a field and a hint
├── KeyStoreError                 a key could not be created, found or revoked
├── LedgerError                   the journal or the database is inconsistent or cannot be used
├── TransportMisuse               Antiphon asked a transport for something that it refuses; nothing was written
└── CallError                     a call ended without a full answer; carries HTTP status, stable code, retry advice
    ├── BadRequest           400  the request is not valid on its wire
    │   ├── TooLarge         413  a body over the limit
    │   ├── UnsupportedMedia 415  a body in an unsupported encoding or type
    │   └── SlowRequest      408  the body did not arrive in time
    ├── Unauthorized         401  no key, or an unknown, expired or revoked one
    ├── Forbidden            403  the key is valid, but may not do this
    ├── NotFound             404  no such path
    │   └── ModelNotFound    404  no such model; suggests the most similar one
    ├── MethodNotAllowed     405  the path exists, the method does not
    ├── Unavailable          503  the gateway cannot accept the call now
    ├── Cancelled            499  the caller left
    └── UpstreamError        502  the provider failed
        ├── UpstreamStatus    *   the provider answered with an error status, which is kept
        │   └── RateLimited  429  the provider answered 429: too many requests
        ├── NoCredential     503  no credential could be fetched; no request was sent
        ├── ConnectFailed    502  no connection or no TLS; no request byte was sent
        ├── Disconnected     502  the connection broke before the answer's head was complete
        ├── Truncated        502  the answer broke off before its end
        ├── BadAnswer        502  the answer is not valid on its wire (HTML, invalid JSON, an error with 200, too large)
        └── UpstreamTimeout  504  the connect, first output, idle or total deadline passed
"""

from collections.abc import Sequence
from typing import Any, ClassVar


class AntiphonError(Exception):
    """The root of the tree."""


class Fault:
    """One fault of a configuration: where it is, what is wrong and how to fix it."""

    __slots__ = ("field", "file", "hint", "line", "problem")

    def __init__(self, file: str, line: int | None, field: str, problem: str, hint: str = "") -> None:
        self.file, self.line, self.field, self.problem, self.hint = file, line, field, problem, hint

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line is not None else self.file
        return f"{where}: {self.field}: {self.problem}" + (f" ({self.hint})" if self.hint else "")


class ConfigError(AntiphonError):
    """The configuration cannot be used; ``faults`` holds every fault found, not only the first."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("\n".join(str(fault) for fault in faults))
        self.faults = tuple(faults)


class KeyStoreError(AntiphonError):
    """A key could not be created, found or revoked."""


class LedgerError(AntiphonError):
    """The journal or the ledger database is inconsistent or cannot be used."""


class TransportMisuse(AntiphonError):
    """Antiphon's own code asked a transport to send a credential to another origin, or an unclean head.

    Nothing was written. This is a fault of the program, not of the call, so it is not a ``CallError``.
    """


class CallError(AntiphonError):
    """A call that ended without a full answer.

    ``status`` is the HTTP status, ``code`` a stable word for programs, and ``kind`` the ``type`` of OpenAI's error
    object. ``retryable`` says whether the same call may succeed later or at another target. ``param`` is the field at
    fault, ``retry_after`` the seconds to wait, if known. For a call that was admitted, ``call_id`` is its id,
    ``attempts`` the number of targets that were tried, and ``target`` the last of them.
    """

    status: int = 500
    code: ClassVar[str] = "internal_error"
    kind: ClassVar[str] = "api_error"
    retryable: bool = False

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        retry_after: float | None = None,
        status: int | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.retry_after = retry_after
        if code is not None:
            self.code = code  # type: ignore[misc]
        if status is not None:
            self.status = status
        # Set if the call was recorded before it failed, so that every interface can name it.
        self.call_id: str = ""
        self.attempts: int = 0
        self.target: str = ""

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (type(self), self.message, self.__dict__)


def _restore(cls: type[CallError], message: str, state: dict[str, Any]) -> CallError:
    error = cls.__new__(cls)
    Exception.__init__(error, message)
    error.__dict__.update(state)
    return error


class BadRequest(CallError):
    status = 400
    code = "invalid_request"
    kind = "invalid_request_error"


class TooLarge(BadRequest):
    status = 413
    code = "request_too_large"


class UnsupportedMedia(BadRequest):
    status = 415
    code = "unsupported_media"


class SlowRequest(BadRequest):
    status = 408
    code = "request_timeout"
    retryable = True


class Unauthorized(CallError):
    status = 401
    code = "invalid_api_key"
    kind = "authentication_error"


class Forbidden(CallError):
    status = 403
    code = "forbidden"
    kind = "permission_error"


class NotFound(CallError):
    status = 404
    code = "not_found"
    kind = "invalid_request_error"


class ModelNotFound(NotFound):
    code = "model_not_found"


class MethodNotAllowed(CallError):
    """``allowed`` lists the methods that the path supports."""

    status = 405
    code = "method_not_allowed"
    kind = "invalid_request_error"

    def __init__(self, message: str, *, allowed: Sequence[str] = (), **more: Any) -> None:
        super().__init__(message, **more)
        self.allowed = tuple(allowed)


class Unavailable(CallError):
    status = 503
    code = "unavailable"
    kind = "service_unavailable_error"
    retryable = True


class Cancelled(CallError):
    status = 499
    code = "cancelled"
    kind = "cancelled"


class UpstreamError(CallError):
    status = 502
    code = "upstream_error"
    kind = "upstream_error"
    retryable = True


class UpstreamStatus(UpstreamError):
    """The provider answered with an error status; ``body`` and ``headers`` are its own."""

    code = "upstream_status"

    def __init__(self, message: str, *, status: int, body: bytes, headers: Sequence[tuple[bytes, bytes]], **more: Any):
        super().__init__(message, status=status, **more)
        self.body = body
        self.headers = tuple(headers)
        # A retry can help with 408, 409, 424 (a model behind the provider failed), 425, 429 and every 5xx. Any other
        # 4xx says that the request itself is at fault.
        self.retryable = status in (408, 409, 424, 425, 429) or status >= 500


class RateLimited(UpstreamStatus):
    code = "rate_limit_exceeded"
    kind = "rate_limit_error"


class NoCredential(UpstreamError):
    status = 503
    code = "no_credential"


class ConnectFailed(UpstreamError):
    code = "connect_failed"


class Disconnected(UpstreamError):
    code = "upstream_disconnected"


class Truncated(UpstreamError):
    code = "upstream_truncated"


class BadAnswer(UpstreamError):
    code = "upstream_bad_answer"


class UpstreamTimeout(UpstreamError):
    """``phase`` is ``connect``, ``first_output``, ``idle`` or ``total``."""

    status = 504
    code = "upstream_timeout"
    kind = "timeout_error"

    def __init__(self, message: str, *, phase: str, **more: Any) -> None:
        super().__init__(message, **more)
        self.phase = phase
