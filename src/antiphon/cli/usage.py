"""``antiphon usage``: shows calls and their costs, and verifies the ledger."""

from collections.abc import Callable, Mapping
from datetime import tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from antiphon.cli.ledger import Config, Data, Json, find_data_directory, open_database
from antiphon.cli.output import complain, fail, print_json, print_table

if TYPE_CHECKING:
    from antiphon.database.database import Database
    from antiphon.ledger.usage import Filter, Line, Prices, Report
    from antiphon.ledger.verify import Proof

app = typer.Typer(
    help="Show usage and costs.",
    invoke_without_command=True,
    no_args_is_help=False,
    add_completion=False,
)

GROUPS = ("day", "model", "key", "call")
CALL_LIMIT = 100


@app.callback()
def show(
    context: typer.Context,
    by: Annotated[str, typer.Option(help="Group by day, model, key or call.")] = "day",
    since: Annotated[str, typer.Option(help="The start: a span such as 30d, or an ISO date or time.")] = "",
    until: Annotated[str, typer.Option(help="The end, exclusive, in the same format as --since.")] = "",
    model: Annotated[str | None, typer.Option(help="Only calls of this model.")] = None,
    key: Annotated[str | None, typer.Option(help="Only calls with the key of this ID.")] = None,
    zone: Annotated[str, typer.Option(help="The time zone of days and dates, such as Europe/Berlin.")] = "UTC",
    limit: Annotated[
        int | None, typer.Option(min=1, help="Show at most this many lines; the total covers all.")
    ] = None,
    reprice: Annotated[bool, typer.Option("--reprice", help="Also show the costs at today's prices.")] = False,
    json: Json = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    data: Data = None,
    config: Config = None,
) -> None:
    """Show usage and costs."""
    if context.invoked_subcommand is not None:
        context.obj = (data, config)
        return
    if by not in GROUPS:
        fail(f"--by: {by!r} is not one of {', '.join(GROUPS)}", 2)
    if json and csv:
        fail("--json and --csv exclude each other; give one of them", 2)
    from antiphon.ledger.usage import report

    where, span = _parse_filter(since, until, model, key, zone)
    database = open_database(data, config)
    try:
        _ship_leftovers(find_data_directory(data, config), database)
        lines = CALL_LIMIT if limit is None and by == "call" and not (json or csv) else limit
        prices = make_price_lookup(config) if reprice else None
        result = report(database, by, where, zone=span, limit=lines, prices=prices)
    finally:
        database.close()
    if json:
        print_json({"by": by, "zone": zone, **_make_document(result)})
    elif csv:
        _print_csv(result)
    else:
        _print_table(result)


@app.command()
def verify(context: typer.Context, json: Json = False, data: Data = None, config: Config = None) -> None:
    """Verify that journal and database agree; list every fault and exit with 1 if not."""
    from antiphon.ledger.verify import verify as prove

    # `antiphon usage --data DIR verify` means the same as `antiphon usage verify --data DIR`.
    data, config = data or context.obj[0], config or context.obj[1]
    database = open_database(data, config)
    try:
        proof = prove(find_data_directory(data, config) / "journal", database, make_price_lookup(config))
    finally:
        database.close()
    if json:
        print_json({"sound": proof.sound, **{name: getattr(proof, name) for name in proof.__struct_fields__}})
    else:
        _print_proof(proof)
    if not proof.sound:
        raise typer.Exit(1)


def make_price_lookup(config: Path | None) -> "Prices":
    """Return a function that finds a target's price in the configured catalog; unknown targets have none."""
    from antiphon.config import load_config
    from antiphon.errors import CallError
    from antiphon.types import Price

    catalog = load_config(str(config) if config is not None else None)

    def find_price(target: str) -> Price | None:
        try:
            return catalog.resolve(target).targets[0].price
        except CallError:
            return None

    return find_price


def _parse_filter(since: str, until: str, model: str | None, key: str | None, zone: str) -> "tuple[Filter, tzinfo]":
    from antiphon.clock import read_time_us
    from antiphon.ledger.period import parse_time, parse_zone
    from antiphon.ledger.usage import Filter

    now = read_time_us()
    try:
        span = parse_zone(zone)
        start = parse_time(since, span, now, -1) if since else None
        end = parse_time(until, span, now, -1) if until else None
    except ValueError as error:
        fail(str(error), 2)
    return Filter(start, end, model, key), span


def _ship_leftovers(directory: Path, database: "Database") -> None:
    """Ship the records that a stopped gateway left in its journal, so that none are missing."""
    from antiphon.ledger.shipper import Shipper

    shipper = Shipper(directory / "journal", database)
    shipper.adopt()
    shipper.release()


def _format_amount(picodollars: int | None) -> str | None:
    from antiphon.ledger.usage import format_dollars

    return None if picodollars is None else format_dollars(picodollars)


def _make_document(report: "Report") -> dict[str, Any]:
    return {
        "rows": [{report.by: line.group, **line.detail, **_collect_figures(line)} for line in report.lines],
        "total": _collect_figures(report.total),
        "left_out": report.left_out,
    }


def _collect_figures(line: "Line") -> dict[str, Any]:
    figures: dict[str, Any] = {
        "calls": line.calls,
        "errors": line.errors,
        "partial": line.partial,
        "cancelled": line.cancelled,
        "estimated": line.estimated,
        "tokens": {**line.tokens, "total": line.total_tokens},
        "units": line.units,
        "cost": _format_amount(line.known_cost),
        "cost_picodollars": line.known_cost,
        "unpriced": line.unpriced,
    }
    if line.repriced is not None:
        figures |= {
            "repriced": _format_amount(line.known_repriced),
            "repriced_picodollars": line.known_repriced,
            "repriced_unpriced": line.repriced_unpriced,
        }
    return figures


def _flatten(line: "Line") -> dict[str, Any]:
    figures = _collect_figures(line)
    tokens: Mapping[str, int] = figures.pop("tokens")
    units: Mapping[str, int] = figures.pop("units")
    return {**{f"tokens_{bucket}": count for bucket, count in tokens.items()}, **units, **figures}


def _print_csv(report: "Report") -> None:
    import csv
    import sys

    details = list(report.lines[0].detail) if report.lines else []
    writer = csv.DictWriter(
        sys.stdout,
        [report.by, *details, *_flatten(report.total)],
        restval="",
        lineterminator="\n",
        extrasaction="raise",
    )
    writer.writeheader()
    for line in report.lines:
        writer.writerow({report.by: line.group, **line.detail, **_flatten(line)})
    writer.writerow({report.by: "total", **_flatten(report.total)})


COLUMNS: dict[str, "Callable[[Line], Any]"] = {
    "calls": lambda line: line.calls,
    "errors": lambda line: line.errors,
    "partial": lambda line: line.partial,
    "cancelled": lambda line: line.cancelled,
    "input": lambda line: line.total_input,
    "output": lambda line: line.total_tokens - line.total_input,
    "units": lambda line: ", ".join(f"{count} {name}" for name, count in line.units.items() if count) or None,
    "cost $": lambda line: _format_amount(line.known_cost) or "unknown",
    "unpriced": lambda line: line.unpriced,
}
REPRICED: dict[str, "Callable[[Line], Any]"] = {
    "today $": lambda line: _format_amount(line.known_repriced) or "unknown",
    "unpriced today": lambda line: line.repriced_unpriced,
}
CALL: dict[str, "Callable[[Line], Any]"] = {
    "time": lambda line: line.detail["time"],
    "model": lambda line: line.detail["model"],
    "target": lambda line: line.detail["target"] or None,
    "outcome": lambda line: line.detail["outcome"],
}


def _print_table(report: "Report") -> None:
    """Print the most important figures; --json and --csv contain every bucket, even those without a count."""
    leading = {"key": {"name": lambda line: line.detail.get("name") or None}, "call": CALL}.get(report.by, {})
    columns = {**leading, **COLUMNS, **(REPRICED if report.total.repriced is not None else {})}
    if report.by == "call":
        columns = {
            name: show for name, show in columns.items() if name not in ("calls", "errors", "partial", "cancelled")
        }
    if not any(report.total.units.values()):
        del columns["units"]
    rows = [[line.group or None, *(show(line) for show in columns.values())] for line in report.lines]
    total = [None if name in leading else show(report.total) for name, show in columns.items()]
    print_table(f"Usage by {report.by}", [report.by, *columns], [*rows, ["total", *total]])
    if report.left_out:
        complain(f"{report.left_out} more lines are in the total but not shown; see --limit", label="")


def _print_proof(proof: "Proof") -> None:
    for note in proof.notes:
        print(f"note: {note}")
    for fault in proof.faults:
        complain(fault, label="fault: ")
    if proof.fault_count > len(proof.faults):
        complain(f"and {proof.fault_count - len(proof.faults)} more", label="fault: ")
    print(
        f"{proof.calls} calls in the database, {proof.filed + proof.pending} records in the journal "
        f"({proof.filed} filed, {proof.pending} pending), {proof.recomputed} costs recomputed: "
        + ("sound" if proof.sound else f"{proof.fault_count} faults")
    )
