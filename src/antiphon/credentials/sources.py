"""The sources of credentials by name, each with the function that fetches from it."""

from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module

from antiphon.credentials.credential import Credential
from antiphon.types import Identity

SOURCES: Mapping[str, str] = {
    "google": "antiphon.credentials.google:fetch",
    "azure": "antiphon.credentials.azure:fetch",
    "aws": "antiphon.credentials.aws:fetch",
}
"""Source to the function that fetches one credential from scratch; it blocks and may raise anything.

No function keeps state between two calls, so the next call sees what was rotated or revoked at the source.
"""


def make_fetcher(identity: Identity) -> Callable[[], Credential]:
    """Return a function that fetches a credential of ``identity``; nothing is imported before it is called."""
    return partial(_fetch, identity)


def _fetch(identity: Identity) -> Credential:
    module, _, name = SOURCES[identity.source].partition(":")
    credential: Credential = getattr(import_module(module), name)(identity)
    return credential
