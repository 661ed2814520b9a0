"""The sources by name: where each is found, and how one is asked."""

from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module

from antiphon.credentials.fetched import Fetched
from antiphon.types import Identity

SOURCES: Mapping[str, str] = {
    "google": "antiphon.credentials.google:fetch",
    "azure": "antiphon.credentials.azure:fetch",
    "aws": "antiphon.credentials.aws:fetch",
}
"""Source to the function that asks it for a credential, once and from the beginning; it blocks and may raise anything.

None keeps anything between two calls: what was rotated or revoked where it comes from is seen with the next one.
"""


def fetcher(identity: Identity) -> Callable[[], Fetched]:
    """Return what fetches a credential of ``identity``; nothing is imported before it is called."""
    return partial(_fetch, identity)


def _fetch(identity: Identity) -> Fetched:
    module, _, name = SOURCES[identity.source].partition(":")
    fetched: Fetched = getattr(import_module(module), name)(identity)
    return fetched
