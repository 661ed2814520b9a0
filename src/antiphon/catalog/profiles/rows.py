"""Reads the rows from the TOML files and checks them; imported only to change rows."""

import re
import tomllib
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import msgspec

from antiphon.catalog.profiles.load import HERE, Family, Row
from antiphon.types import Profile

_ROW_FIELDS = frozenset(Row.__struct_fields__) - {"facts"}


def write_rows() -> str:
    """Return all families as JSON, one line each; raises ``ValueError`` at the first bad one."""
    families = [read_family(path) for path in sorted(HERE.glob("*.toml"))]
    return "[\n" + ",\n".join(msgspec.json.encode(family).decode() for family in families) + "\n]\n"


def read_family(path: Path) -> Family:
    """Return the checked family in a file; raises ``ValueError`` (``msgspec.ValidationError``) for a bad one."""
    return parse_family(path.read_text("utf-8"), path.stem)


def parse_family(text: str, name: str) -> Family:
    """Return the checked family in a text; raises as :func:`read_family`."""
    document = tomllib.loads(text)
    for row in document.get("rows", ()):
        row["facts"] = {key: row.pop(key) for key in sorted(row.keys() - _ROW_FIELDS)}
    try:
        family = msgspec.convert(document, Family)
        for problem in _find_problems(family):
            raise ValueError(problem)
    except ValueError as error:
        raise ValueError(f"profiles/{name}.toml: {error}") from error
    return family


def _find_problems(family: Family) -> Iterator[str]:
    date.fromisoformat(f"{family.checked}-01")
    groups = re.compile(family.version).groupindex.keys()
    if family.version and groups != {"major", "minor"}:
        yield "`version` needs the groups `major` and `minor`"
    for row in family.rows:
        msgspec.convert(row.facts, Profile)
        if row not in family.select_rows(row.example.lower()):
            yield f"the row of {row.example} does not apply to it"
        if row.since > (0, 0) and not family.version:
            yield f"the row of {row.example} has `since`, and the family has no `version`"
