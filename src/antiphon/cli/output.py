"""How commands speak: results on standard output, complaints on standard error, JSON for programs."""

import sys
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn


def complain(message: str, label: str = "error: ") -> None:
    """Write one line of plain text to standard error."""
    print(f"{label}{message}", file=sys.stderr)


def fail(message: str, code: int = 1) -> NoReturn:
    """Say what went wrong on standard error and leave with ``code``: 1 for a failure, 2 for wrong usage."""
    complain(message)
    raise SystemExit(code)


def print_json(value: Any) -> None:
    """Write ``value`` (builtins or msgspec structs) as indented JSON."""
    import msgspec

    print(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write rows as a table: drawn on a terminal, plain aligned columns in a pipe. ``None`` shows as a dash."""
    cells = [["-" if value is None else str(value) for value in row] for row in rows]
    if sys.stdout.isatty():
        _drawn(title, columns, cells)
    else:
        _plain(columns, cells)


def _drawn(title: str, columns: Sequence[str], cells: list[list[str]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawing = Table(title=title, title_justify="left")
    for column in columns:
        drawing.add_column(column)
    for row in cells:
        # Text, so that a bracket in a name is not taken for markup.
        drawing.add_row(*map(Text, row))
    Console().print(drawing)


def _plain(columns: Sequence[str], cells: list[list[str]]) -> None:
    lines = [list(columns), *cells]
    widths = [max(len(line[index]) for line in lines) for index in range(len(columns))]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
