"""Loads the rows from ``rows.json``, which ``scripts/docs-catalog`` writes: the TOML files take 20 times as long."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import msgspec

from antiphon.catalog.kinds.kind import Kind

HERE = Path(__file__).parent


@cache
def load_kinds() -> Mapping[str, Kind]:
    """Return the rows by name, in the order of the families and of their files."""
    return msgspec.json.decode((HERE / "rows.json").read_bytes(), type=dict[str, Kind])


@cache
def load_aliases() -> Mapping[str, str]:
    """Return other names of kinds, each with the name used here."""
    return {alias: kind.name for kind in load_kinds().values() for alias in kind.aliases}
