"""Proves that journal and database agree: nothing is missing, doubled or changed, and every cost can be repeated."""

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from sqlalchemy import Connection, or_, select
from sqlalchemy.exc import SQLAlchemyError

from antiphon.database.columns import ATTEMPTS, CALLS
from antiphon.database.database import Database
from antiphon.database.tables import attempts, calls, positions
from antiphon.errors import LedgerError
from antiphon.ledger.frames import HEADER, FrameScan
from antiphon.ledger.rows import make_attempt_rows, make_call_row
from antiphon.ledger.usage import COUNTED, Prices, read_usage
from antiphon.ledger.writer import DAMAGED, get_segment_path, list_segments, list_writers
from antiphon.types import COUNTS, Record

SHOWN = 100
"""Faults that are listed one by one; further ones are only counted."""

_CHUNK = 500
T = TypeVar("T")


class Proof(msgspec.Struct):
    """What was examined and what was found. ``notes`` are harmless traces of a crash."""

    calls: int = 0
    """Rows in the database."""
    filed: int = 0
    """Records in the journal that the database must have, and has, unless a fault says otherwise."""
    pending: int = 0
    """Records in the journal that the shipper has not moved yet."""
    recomputed: int = 0
    """Costs that were computed again, because the price list they were computed with is still the current one."""
    faults: list[str] = []
    notes: list[str] = []
    fault_count: int = 0

    @property
    def sound(self) -> bool:
        return not self.fault_count

    def add_fault(self, text: str) -> None:
        self.fault_count += 1
        if len(self.faults) < SHOWN:
            self.faults.append(text)


def verify(journal: Path, database: Database, prices: Prices | None = None) -> Proof:
    """Compare every record in the journal with the database, and the database with itself; changes nothing.

    Safe beside a running gateway: the database is read as of one moment. With ``prices``, costs that were computed with
    the current price list are computed again. Raises ``LedgerError`` if the database cannot be read.
    """
    proof = Proof()
    for fault in database.list_faults():
        proof.add_fault(fault)
    try:
        with database.engine.connect() as connection:
            reached = {writer: (number, offset) for writer, number, offset in connection.execute(select(positions))}
            seen: dict[str, int] = {}
            for path in list_writers(journal):
                _check_writer(proof, connection, path, reached.get(path.name, (0, 0)), seen)
            _check_rows(proof, connection, prices)
    except SQLAlchemyError as error:
        raise LedgerError(f"the ledger database cannot be read: {error}") from error
    return proof


def _check_writer(
    proof: Proof, connection: Connection, path: Path, reached: tuple[int, int], seen: dict[str, int]
) -> None:
    for kept in sorted(path.glob(f"*{DAMAGED}")):
        proof.add_fault(f"{kept} was damaged; save its readable part and delete it")
    for number in list_segments(path):
        try:
            data = get_segment_path(path, number).read_bytes()
        except FileNotFoundError:
            continue  # the shipper has just filed it
        where = str(get_segment_path(path, number))
        if not data.startswith(HEADER):
            if not HEADER.startswith(data):
                proof.add_fault(f"{where} does not start as a journal of this release does")
            continue
        border = len(data) if number < reached[0] else reached[1] if number == reached[0] else 0
        border = max(border, len(HEADER))
        _check_filed(proof, connection, where, data[:border], seen)
        _check_pending(proof, connection, where, data, border, seen)


def _check_filed(proof: Proof, connection: Connection, where: str, data: bytes, seen: dict[str, int]) -> None:
    scan = FrameScan(data[len(HEADER) :], len(HEADER))
    _check_scan(proof, where, scan)
    proof.filed += len(scan.records)
    for batch in _split_batches(scan.records):
        _check_batch(proof, connection, where, batch, seen, must=True)


def _check_pending(
    proof: Proof, connection: Connection, where: str, data: bytes, border: int, seen: dict[str, int]
) -> None:
    scan = FrameScan(data[border:], border)
    _check_scan(proof, where, scan)
    proof.pending += len(scan.records)
    for batch in _split_batches(scan.records):
        _check_batch(proof, connection, where, batch, seen, must=False)


def _check_scan(proof: Proof, where: str, scan: FrameScan) -> None:
    if scan.fault:
        proof.add_fault(f"{where} is damaged at byte {scan.end}: {scan.fault}")
    elif scan.torn:
        proof.notes.append(f"{where} ends in {scan.torn} bytes of a record that was never acknowledged")


def _check_batch(
    proof: Proof, connection: Connection, where: str, batch: Sequence[Record], seen: dict[str, int], *, must: bool
) -> None:
    """Compare records with their rows, value by value; a record that is journaled twice must be equal both times."""
    stored = _read_stored(connection, [record.id for record in batch])
    for record in batch:
        expected = (make_call_row(record), make_attempt_rows(record))
        if seen.setdefault(record.id, hash(str(expected))) != hash(str(expected)):
            proof.add_fault(f"{where}: {record.id} is in the journal twice with different contents")
        found = stored.get(record.id)
        if found is None:
            if must:
                proof.add_fault(f"{where}: {record.id} was marked as filed, but the database does not have it")
        elif found != expected:
            difference = _describe_difference(expected, found)
            proof.add_fault(f"{where}: {record.id} differs from its row in the database: {difference}")


def _read_stored(connection: Connection, ids: list[str]) -> dict[str, tuple[tuple[Any, ...], list[tuple[Any, ...]]]]:
    query = select(*(calls.c[name] for name in CALLS)).where(calls.c.id.in_(ids))
    stored: dict[str, tuple[tuple[Any, ...], list[tuple[Any, ...]]]] = {
        row[0]: (tuple(row), []) for row in connection.execute(query)
    }
    tries = select(*(attempts.c[name] for name in ATTEMPTS)).where(attempts.c.call_id.in_(ids))
    for row in connection.execute(tries.order_by(attempts.c.call_id, attempts.c.number)):
        stored[row[0]][1].append(tuple(row))
    return stored


def _describe_difference(
    expected: tuple[tuple[Any, ...], list[tuple[Any, ...]]], found: tuple[tuple[Any, ...], list[tuple[Any, ...]]]
) -> str:
    changed = [name for name, one, other in zip(CALLS, expected[0], found[0], strict=True) if one != other]
    return ", ".join(changed) or "its attempts"


def _check_rows(proof: Proof, connection: Connection, prices: Prices | None) -> None:
    negative = or_(*(calls.c[name] < 0 for name in (*COUNTS, "cost", "duration_us")))
    for (call_id,) in connection.execute(select(calls.c.id).where(negative)):
        proof.add_fault(f"{call_id} has a negative count or amount in the database")
    known = cache(prices) if prices is not None else None
    query = select(calls.c.id, calls.c.target, calls.c.price_version, calls.c.cost, *COUNTED)
    for call_id, target, version, cost, *counts in connection.execute(query):
        proof.calls += 1
        price = known(target) if known is not None and version else None
        # Without counts there is nothing to compute from; the prices of an earlier list are not known any more.
        if price is None or price.version != version or counts[0] is None:
            continue
        proof.recomputed += 1
        again = price.compute_cost(read_usage(counts))
        if again != cost:
            proof.add_fault(f"{call_id} has the cost {cost}, but at price version {version} it comes to {again}")


def _split_batches(items: Iterable[T]) -> Iterator[list[T]]:
    iterator = iter(items)
    while batch := list(islice(iterator, _CHUNK)):
        yield batch
