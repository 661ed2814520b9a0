"""A layer between programs and language models: ``Antiphon`` and ``AsyncAntiphon`` call any model.

Importing this package loads nothing else and does no I/O; a public name loads its module at its first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from antiphon import errors
    from antiphon.client import (
        Antiphon,
        AsyncAntiphon,
        AsyncStream,
        Embeddings,
        Event,
        ModelCard,
        Reply,
        Stream,
        View,
    )
    from antiphon.errors import (
        AntiphonError,
        BadAnswer,
        BadRequest,
        CallError,
        Cancelled,
        ConfigError,
        ConnectFailed,
        Disconnected,
        Forbidden,
        KeyStoreError,
        LedgerError,
        MethodNotAllowed,
        ModelNotFound,
        NoCredential,
        NotFound,
        RateLimited,
        SlowRequest,
        TooLarge,
        TransportMisuse,
        Truncated,
        Unauthorized,
        Unavailable,
        UnsupportedMedia,
        UpstreamError,
        UpstreamStatus,
        UpstreamTimeout,
    )

__version__ = "0.1.0"

__all__ = [
    "Antiphon",
    "AntiphonError",
    "AsyncAntiphon",
    "AsyncStream",
    "BadAnswer",
    "BadRequest",
    "CallError",
    "Cancelled",
    "ConfigError",
    "ConnectFailed",
    "Disconnected",
    "Embeddings",
    "Event",
    "Forbidden",
    "KeyStoreError",
    "LedgerError",
    "MethodNotAllowed",
    "ModelCard",
    "ModelNotFound",
    "NoCredential",
    "NotFound",
    "RateLimited",
    "Reply",
    "SlowRequest",
    "Stream",
    "TooLarge",
    "TransportMisuse",
    "Truncated",
    "Unauthorized",
    "Unavailable",
    "UnsupportedMedia",
    "UpstreamError",
    "UpstreamStatus",
    "UpstreamTimeout",
    "View",
    "__version__",
    "errors",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'antiphon' has no attribute {name!r}")
    errors = import_module("antiphon.errors")
    if name == "errors":
        return errors
    value = getattr(errors, name, None) or getattr(import_module("antiphon.client"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
