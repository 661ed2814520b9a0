"""Provider kinds: one row of data for each service or server that can be called.

What belongs here: the rows (``*.toml``, one file for each family, and ``rows.json``, made from them), the words they
may use, and what follows from a row alone: its address, its headers, its paths. What does not: accounts
(``catalog.provider``), what a model can do or costs (``facts.json``), how a wire is spoken (``wires``), and any
comparison with a kind's name.
"""

from antiphon.catalog.kinds.kind import Kind, SigningRow
from antiphon.catalog.kinds.load import load_kinds, other_names
from antiphon.catalog.kinds.sources import SOURCES, Source, missing
from antiphon.catalog.kinds.words import CERTAINTY, FEATURES, OPERATIONS, PARAMS, QUIRKS, SECRETS, SETTINGS

__all__ = [
    "CERTAINTY",
    "FEATURES",
    "OPERATIONS",
    "PARAMS",
    "QUIRKS",
    "SECRETS",
    "SETTINGS",
    "SOURCES",
    "Kind",
    "SigningRow",
    "Source",
    "load_kinds",
    "missing",
    "other_names",
]
