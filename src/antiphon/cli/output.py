"""Output of commands: results on standard output, errors on standard error, JSON for programs."""

import sys
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn


def complain(message: str, label: str = "error: ") -> None:
    """Print one line of plain text to standard error."""
    print(f"{label}{message}", file=sys.stderr)


def fail(message: str, code: int = 1) -> NoReturn:
    """Print an error and exit with ``code``: 1 for a failure, 2 for wrong usage."""
    complain(message)
    raise SystemExit(code)


def print_json(value: Any) -> None:
    """Print ``value`` (builtins or msgspec structs) as indented JSON."""
    import msgspec

    print(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print rows as a table, with borders on a terminal and aligned columns in a pipe. ``None`` becomes a dash."""
    cells = [["-" if value is None else str(value) for value in row] for row in rows]
    if sys.stdout.isatty():
        _draw_table(title, columns, cells)
    else:
        _print_columns(columns, cells)


def _draw_table(title: str, columns: Sequence[str], cells: list[list[str]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column)
    for row in cells:
        # As Text, so that a bracket in a name is not interpreted as markup.
        table.add_row(*map(Text, row))
    Console().print(table)


def _print_columns(columns: Sequence[str], cells: list[list[str]]) -> None:
    lines = [list(columns), *cells]
    widths = [max(len(line[index]) for line in lines) for index in range(len(columns))]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
