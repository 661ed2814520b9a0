"""Provider kinds: one row of data for each service or server that can be called.

What belongs here: the rows (``*.toml``, one file for each family, and ``rows.json``, generated from them), the
vocabulary they may use, and everything that follows from a row alone: its address, its headers, its paths. What does
not: accounts (``catalog.provider``), what a model can do or costs (``facts.json``), the wires (``wires``), and any
comparison with a kind's name.
"""

from antiphon.catalog.kinds.credential_sources import CREDENTIAL_SOURCES, CredentialSource, find_install_command
from antiphon.catalog.kinds.kind import Kind, SigningRow
from antiphon.catalog.kinds.load import load_aliases, load_kinds
from antiphon.catalog.kinds.vocabulary import CERTAINTY, FEATURES, OPERATIONS, PARAMS, QUIRKS, SECRETS, SETTINGS

__all__ = [
    "CERTAINTY",
    "CREDENTIAL_SOURCES",
    "FEATURES",
    "OPERATIONS",
    "PARAMS",
    "QUIRKS",
    "SECRETS",
    "SETTINGS",
    "CredentialSource",
    "Kind",
    "SigningRow",
    "find_install_command",
    "load_aliases",
    "load_kinds",
]
