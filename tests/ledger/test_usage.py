"""Usage: golden sums to the last picodollar for any zone, any size of numbers, and unknown costs."""

from collections import defaultdict
from datetime import UTC
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from antiphon.database.database import Database
from antiphon.ledger.journal import LARGEST, Journal
from antiphon.ledger.period import parse_span, parse_time, parse_zone, to_us
from antiphon.ledger.rows import RowBatch
from antiphon.ledger.shipper import Shipper
from antiphon.ledger.usage import Filter, Line, format_dollars, report
from antiphon.types import BUCKETS, COUNTS, UNITS, Outcome, Price, Record, Usage
from ledger.samples import NOON, make_record

HOUR = 3600 * 1_000_000


def insert_all(database: Database, records: list[Record]) -> None:
    batch = RowBatch()
    batch.add(records)
    with database.begin() as transaction:
        batch.insert(transaction)


@pytest.fixture
def history(database: Database) -> Database:
    """Six calls on two days, two models, two keys."""
    insert_all(
        database,
        [
            make_record(id="call_1", time=NOON, usage=Usage(input=1000, output=10), cost=3_000_000_001),
            make_record(id="call_2", time=NOON + 1, model="small", usage=Usage(input=7, cache_read=5), cost=2),
            make_record(id="call_3", time=NOON + 13 * HOUR, usage=Usage(output=9, reasoning=1), cost=None,
                        target="x/new"),
            make_record(id="call_4", time=NOON + 14 * HOUR, outcome=Outcome.ERROR, usage=None, cost=None,
                        key_id="key_2"),
            make_record(id="call_5", time=NOON + 14 * HOUR, outcome=Outcome.PARTIAL, usage=Usage(output=3), cost=40,
                        key_id="key_2"),
            make_record(id="call_6", time=NOON + 15 * HOUR, outcome=Outcome.CANCELLED,
                        usage=Usage(output=1, estimated=True), cost=5, key_id=""),
        ],
    )  # fmt: skip
    return database


def get_figures(line: Line) -> tuple[object, ...]:
    return (line.group, line.calls, line.total_tokens, line.known_cost, line.unpriced)


def test_days_of_utc_and_of_other_zones(history: Database):
    by_day = report(history, "day")
    assert [get_figures(line) for line in by_day.lines] == [
        ("2025-11-20", 2, 1022, 3_000_000_003, 0),
        ("2025-11-21", 4, 14, 45, 1),
    ]
    assert get_figures(by_day.total) == ("total", 6, 1036, 3_000_000_048, 1)
    tokyo = report(history, "day", zone=ZoneInfo("Asia/Tokyo"))
    assert [get_figures(line)[:2] for line in tokyo.lines] == [("2025-11-20", 2), ("2025-11-21", 4)]
    kathmandu = report(history, "day", zone=ZoneInfo("Pacific/Kiritimati"))
    assert [get_figures(line)[:2] for line in kathmandu.lines] == [("2025-11-21", 6)]


def test_totals_count_every_outcome_and_bucket(history: Database):
    total = report(history, "day").total
    assert (total.errors, total.partial, total.cancelled, total.estimated) == (1, 1, 1, 1)
    assert total.tokens == {**dict.fromkeys(BUCKETS, 0), "input": 1007, "cache_read": 5, "output": 23, "reasoning": 1}


def test_models_and_keys_are_ordered_by_cost(history: Database):
    assert [get_figures(line) for line in report(history, "model").lines] == [
        ("smart", 5, 1024, 3_000_000_046, 1),
        ("small", 1, 12, 2, 0),
    ]
    keys = report(history, "key")
    assert [(line.group, line.calls, line.cost) for line in keys.lines] == [
        ("key_1", 3, 3_000_000_003),
        ("key_2", 2, 40),
        ("", 1, 5),
    ]


def test_calls_are_listed_newest_first_and_a_limit_keeps_the_total(history: Database):
    result = report(history, "call", limit=2)
    assert [line.group for line in result.lines] == ["call_6", "call_5"]
    assert result.left_out == 4
    assert get_figures(result.total) == ("total", 6, 1036, 3_000_000_048, 1)
    assert result.lines[0].detail["time"] == "2025-11-21T03:00:00.000000+00:00"
    assert report(history, "model", limit=1).left_out == 1


@pytest.mark.parametrize(
    ("wanted", "ids"),
    [
        (Filter(since=NOON + 1), {"call_2", "call_3", "call_4", "call_5", "call_6"}),
        (Filter(until=NOON + 1), {"call_1"}),
        (Filter(since=NOON + 1, until=NOON + 2), {"call_2"}),
        (Filter(model="small"), {"call_2"}),
        (Filter(key="key_2"), {"call_4", "call_5"}),
        (Filter(key="key_2", model="small"), set()),
        (Filter(model="' OR 1=1 --"), set()),
    ],
)
def test_filters(history: Database, wanted: Filter, ids: set[str]):
    result = report(history, "call", wanted)
    assert {line.group for line in result.lines} == ids
    assert result.total.calls == len(ids)


def test_a_sum_of_unknown_costs_is_unknown(database: Database):
    insert_all(database, [make_record(cost=None), make_record(cost=None)])
    total = report(database, "day").total
    assert (total.unpriced, total.known_cost) == (2, None)
    assert report(database, "day", Filter(model="none")).total.known_cost == 0


def test_repricing_shows_todays_cost_and_changes_nothing(history: Database):
    long = Price("v2", input=100, output=1000, reasoning=1000, cache_read=1)
    prices = {
        "openai/gpt-4o-mini": Price("v2", input=10, output=100, reasoning=100, long_from=999, long=long),
        "x/new": Price("v2", output=7, reasoning=9),
    }
    result = report(history, "call", prices=prices.get)
    # call_1 is long enough for the long price; call_2 read from a cache, which has no price in the short one.
    expected = {"call_1": 1000 * 100 + 10 * 1000, "call_2": None, "call_3": 9 * 7 + 9, "call_4": 0, "call_5": 300,
                "call_6": 100}  # fmt: skip
    assert {line.group: line.known_repriced for line in result.lines} == expected
    assert result.total.repriced == sum(cost or 0 for cost in expected.values())
    assert result.total.repriced_unpriced == 1
    assert get_figures(report(history, "day").total) == ("total", 6, 1036, 3_000_000_048, 1)
    by_day = report(history, "day", prices=prices.get)
    assert [line.repriced for line in by_day.lines] == [110_000, 472]
    assert sum(line.repriced_unpriced for line in by_day.lines) == 1


def test_sums_beyond_64_bits_are_exact(database: Database):
    """Each number fits 63 bits (the journal refuses larger ones); their sum need not."""
    insert_all(
        database,
        [make_record(usage=Usage(**dict.fromkeys(COUNTS, LARGEST)), cost=LARGEST) for _ in range(5)]
        + [make_record(usage=Usage(input=1), cost=1)],
    )
    for by in ("day", "model", "key"):
        result = report(database, by)
        for line in (*result.lines, result.total):
            assert line.cost == 5 * LARGEST + 1
            assert line.tokens == {**dict.fromkeys(BUCKETS, 5 * LARGEST), "input": 5 * LARGEST + 1}
            assert line.units == dict.fromkeys(UNITS, 5 * LARGEST)


def test_units_other_than_tokens(database: Database):
    """Units are counted and summed, unpriced without a price, and can be priced again."""
    insert_all(
        database,
        [
            make_record(model="draw", usage=Usage(images=2), cost=80),
            make_record(model="draw", usage=Usage(images=1), cost=None),
            make_record(model="say", usage=Usage(characters=11, estimated=True), cost=33),
            make_record(model="seek", usage=Usage(input=5, searches=3), cost=35),
        ],
    )
    result = report(database, "model", prices={"openai/gpt-4o-mini": Price("v2", input=1, images=50, searches=9)}.get)
    found = {line.group: line for line in (*result.lines, result.total)}
    assert found["draw"].units == {**dict.fromkeys(UNITS, 0), "images": 3}
    assert (found["draw"].known_cost, found["draw"].unpriced, found["draw"].total_tokens) == (80, 1, 0)
    assert (found["draw"].repriced, found["say"].repriced_unpriced, found["seek"].repriced) == (150, 1, 32)
    assert found["total"].units == {"images": 3, "seconds": 0, "characters": 11, "searches": 3}
    [line] = [line for line in report(database, "call").lines if line.units["images"] == 1]
    assert (line.unpriced, line.known_cost) == (1, None)


def test_a_call_is_priced_again_at_the_tier_that_served_it(database: Database):
    tiers = {"flex": Price("v2", input=5)}
    insert_all(
        database,
        [
            make_record(usage=Usage(input=10), cost=1),
            make_record(usage=Usage(input=10, service_tier="flex"), cost=1),
            make_record(usage=Usage(input=10, service_tier="priority"), cost=1),
        ],
    )
    prices = {"openai/gpt-4o-mini": Price("v2", input=10, tiers=tiers)}
    total = report(database, "day", prices=prices.get).total
    assert (total.repriced, total.repriced_priced, total.repriced_unpriced) == (150, 2, 1)
    assert [line.detail["service_tier"] for line in report(database, "call").lines].count("flex") == 1


COUNT = st.one_of(st.integers(0, 10**6), st.integers(0, LARGEST))
RECORDS = st.lists(
    st.builds(
        make_record,
        time=st.integers(NOON - 400 * 24 * HOUR, NOON + 400 * 24 * HOUR),
        model=st.sampled_from(["a", "b", "llama3.2:3b"]),
        key_id=st.sampled_from(["", "key_1", "key_2"]),
        outcome=st.sampled_from(list(Outcome)),
        usage=st.none() | st.builds(Usage, **dict.fromkeys(COUNTS, COUNT)),
        cost=st.none() | COUNT,
    ),
    max_size=25,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(records=RECORDS, zone=st.sampled_from(["UTC", "America/St_Johns", "Asia/Kathmandu", "Europe/Berlin"]))
def test_totals_equal_the_records(tmp_path_factory: pytest.TempPathFactory, records: list[Record], zone: str):
    data = tmp_path_factory.mktemp("usage")
    database = Database(f"sqlite:///{data / 'antiphon.db'}")
    database.prepare()
    journal = Journal(data / "journal")
    for each in records:
        journal.append(each)
    journal.close()
    Shipper(data / "journal", database).adopt()
    by_model: dict[str, int] = defaultdict(int)
    for each in records:
        by_model[each.model] += each.cost or 0
    for by in ("day", "model", "key", "call"):
        result = report(database, by, zone=parse_zone(zone))
        for line in (result.total, *([] if by != "model" else result.lines)):
            mine = [each for each in records if by != "model" or line.group in ("total", each.model)]
            assert line.calls == len(mine)
            assert line.cost == sum(each.cost or 0 for each in mine)
            assert line.errors == sum(each.outcome is Outcome.ERROR for each in mine)
            for bucket in BUCKETS:
                assert line.tokens[bucket] == sum(getattr(each.usage, bucket) for each in mine if each.usage)
            for unit in UNITS:
                assert line.units[unit] == sum(getattr(each.usage, unit) for each in mine if each.usage)
        assert sum(line.calls for line in result.lines) == len(records)
        assert sum(line.cost for line in result.lines) == result.total.cost
        assert sum(line.unpriced for line in result.lines) == result.total.unpriced
    database.close()


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (0, "0.00"),
        (1, "0.000000000001"),
        (10**12, "1.00"),
        (123_450_000_000_000, "123.45"),
        (1_500_000, "0.0000015"),
        (10**30 + 1, "1000000000000000000.000000000001"),
    ],
)
def test_dollars_are_exact(amount: int, text: str):
    assert format_dollars(amount) == text


def test_times_in_usual_notations():
    assert parse_span("30d") == 30 * 86400
    assert parse_span("soon") is None
    assert parse_time("12h", UTC, NOON, -1) == NOON - 12 * HOUR
    assert parse_time("2w", UTC, NOON, 1) == NOON + 14 * 24 * HOUR
    assert parse_time("2025-11-20", UTC, 0, -1) == NOON - 12 * HOUR
    assert parse_time("2025-11-20", ZoneInfo("Europe/Berlin"), 0, -1) == NOON - 13 * HOUR
    assert parse_time("2025-11-20T14:00:00+02:00", ZoneInfo("Asia/Tokyo"), 0, -1) == NOON
    for bad in ("", "yesterday", "30 days", "2025-13-01", "99999999999d", "999999999w"):
        with pytest.raises(ValueError, match="expected"):
            parse_time(bad, UTC, NOON, -1)
    with pytest.raises(ValueError, match="time zone"):
        parse_zone("Mars/Olympus")
    with pytest.raises(ValueError, match="time zone"):
        parse_zone("../etc/passwd")


def test_a_day_with_a_clock_change_is_one_day(database: Database):
    from datetime import datetime

    berlin = ZoneInfo("Europe/Berlin")
    hours = [to_us(datetime(2025, 10, 25, 22, tzinfo=UTC)) + hour * HOUR for hour in range(26)]
    insert_all(database, [make_record(time=hour) for hour in hours])
    assert [(line.group, line.calls) for line in report(database, "day", zone=berlin).lines] == [
        ("2025-10-26", 25),
        ("2025-10-27", 1),
    ]


def test_an_unreadable_database_is_a_clear_error(tmp_path: Path):
    from antiphon.errors import LedgerError

    with pytest.raises(LedgerError, match="cannot be read"):
        report(Database(f"sqlite:///{tmp_path / 'none.db'}"), "day")
