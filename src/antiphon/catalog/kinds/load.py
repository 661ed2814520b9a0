"""The rows, from ``rows.json``, which ``scripts/docs-catalog`` makes of the TOML files: those take 20 times as long."""

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
def other_names() -> Mapping[str, str]:
    """Return what else kinds are called, with their names here."""
    return {other: kind.name for kind in load_kinds().values() for other in kind.also}
