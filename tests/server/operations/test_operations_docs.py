"""``docs/operations.md`` agrees with the table, and some provider has each of its rows."""

from pathlib import Path

import pytest

from antiphon.catalog.kinds import OPERATIONS as OFFERED
from antiphon.catalog.operations import OPERATIONS, Operation
from antiphon.engine.upload import HELD_LIMIT
from antiphon.server.routes import ROUTES

PAGE = (Path(__file__).parents[3] / "docs" / "operations.md").read_text()
ROWS = [line for line in PAGE.splitlines() if line.startswith("| `")]


def write_row(row: Operation) -> str:
    needs = ", ".join(f"`{member}`" for member in row.needs)
    body = {"json": f"JSON with {needs}", "form": "form", "any": "any"}[row.body]
    model = "`model`" + (f", or `{row.default}`" if row.default else "") if row.model else "names a provider"
    return f"| `{row.name}` | `{row.path}` | {body} | {model} |" + (f" {row.unit} |" if row.unit else " |")


def test_the_page_has_the_table() -> None:
    assert [write_row(row) for row in OPERATIONS.values()] == ROWS
    assert HELD_LIMIT == 1024 * 1024
    assert "first MiB" in PAGE


@pytest.mark.parametrize("row", OPERATIONS.values(), ids=lambda row: row.name)
def test_a_row_is_known_to_the_catalog_and_has_its_routes(row: Operation) -> None:
    assert row.name in OFFERED
    found = {(route.method, route.path.decode()) for route in ROUTES if route.path.decode().startswith(row.path)}
    expected = {("POST", row.path)}
    if not row.model:
        expected |= {("GET", row.path)} | {(method, f"{row.path}/{{}}") for method in ("GET", "POST", "DELETE")}
    assert found == expected
