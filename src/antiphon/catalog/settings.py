"""The settings of the gateway itself: where it listens, where it stores records, how long it waits."""

from typing import Literal

import msgspec

from antiphon.types import Timeouts

KIB, MIB, GIB = 1024, 1024**2, 1024**3


class Settings(msgspec.Struct, frozen=True):
    """Everything in a configuration that is not a provider or a model.

    The whole API is also served under each of ``prefixes``. ``body_limit`` and ``journal_cap`` are bytes,
    ``heartbeat`` and ``drain`` are seconds. ``ca_file`` names a PEM file of authorities to trust in addition to the
    system's. LiteLLM runs in ``longtail_workers`` processes, each with at most ``longtail_in_flight`` calls at once.
    """

    host: str = "127.0.0.1"
    port: int = 7777
    auth: Literal["keys", "open"] = "keys"
    metrics: Literal["admin", "open"] = "admin"
    body_limit: int = 32 * MIB
    heartbeat: float = 10.0
    drain: float = 30.0
    prefixes: tuple[str, ...] = ()
    data: str = "./data"
    durability: Literal["process", "disk"] = "process"
    journal_cap: int = GIB
    on_journal_full: Literal["refuse", "serve"] = "refuse"
    timeouts: Timeouts = Timeouts()
    ca_file: str | None = None
    longtail_workers: int = 1
    longtail_in_flight: int = 64


PATHS = {
    "host": "server.host",
    "port": "server.port",
    "auth": "server.auth",
    "metrics": "server.metrics",
    "body_limit": "server.body_limit",
    "heartbeat": "server.heartbeat",
    "drain": "server.drain",
    "prefixes": "server.prefixes",
    "data": "data",
    "durability": "durability",
    "journal_cap": "journal_cap",
    "on_journal_full": "on_journal_full",
    "ca_file": "tls.ca_file",
    "longtail_workers": "longtail.workers",
    "longtail_in_flight": "longtail.in_flight",
}
"""Every setting except the timeouts, and its path in a file."""
