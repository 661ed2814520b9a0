"""Finds profiles in ``rows.json``, which ``scripts/docs-catalog`` writes from the TOML files."""

import re
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import msgspec

from antiphon.types import Profile

HERE = Path(__file__).parent
_NEWEST = (99, 0)
_UNKNOWN = Profile()


class Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What changed with one generation of a family, or what applies to some of its models only."""

    example: str
    """A model that the row applies to."""
    facts: dict[str, Any]
    """Fields of :class:`~antiphon.types.Profile`."""
    since: tuple[int, int] = (0, 0)
    """The first version that the row applies to."""
    match: str = ""
    """A pattern that is searched for in the model's name."""


class Family(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The models whose names match ``names``. Every matching row applies, and later rows override earlier ones."""

    title: str
    sources: tuple[str, ...]
    """The pages that the rows are taken from."""
    checked: str
    """The month in which the pages were read, as ``YYYY-MM``."""
    names: str
    """A pattern that is searched for in a model's name; every pattern is applied to the name in lower case."""
    rows: tuple[Row, ...]
    version: str = ""
    """A pattern with the groups ``major`` and ``minor``. A name without a version means the newest one."""

    def select_rows(self, name: str) -> list[Row]:
        """Return the rows that apply to a model's name in lower case."""
        if re.search(self.names, name) is None:
            return []
        version = self._read_version(name)
        return [row for row in self.rows if version >= row.since and re.search(row.match, name)]

    def _read_version(self, name: str) -> tuple[int, int]:
        match = re.search(self.version, name) if self.version else None
        if match is None or match["major"] is None:
            return _NEWEST
        return int(match["major"]), int(match["minor"] or 0)


@cache
def load_families() -> tuple[Family, ...]:
    """Return all families."""
    return msgspec.json.decode((HERE / "rows.json").read_bytes(), type=tuple[Family, ...])


# Callers choose names, so the number of remembered ones is bounded.
@lru_cache(maxsize=1024)
def get_profile(model: str) -> Profile:
    """Return the profile of a model by its name, to which hosts add their own prefixes, dates and versions."""
    name = model.lower()
    facts: dict[str, Any] = {}
    for family in load_families():
        for row in family.select_rows(name):
            facts |= row.facts
    return msgspec.convert(facts, Profile) if facts else _UNKNOWN
