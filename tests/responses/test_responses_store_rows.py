"""The rows of stored responses: their lifetime, their limits, and the separation of keys."""

from collections.abc import Iterator
from concurrent.futures import wait
from pathlib import Path

import pytest

from antiphon.clock import read_time_us
from antiphon.database.columns import RESPONSES, insert
from antiphon.database.database import Database
from antiphon.errors import BadRequest, LedgerError
from antiphon.responses import store as conversations
from antiphon.responses.store import (
    CONVERSATION_LIMIT,
    RESPONSE_LIMIT,
    RETENTION_DAYS,
    TURNS_LIMIT,
    KeptResponse,
    ResponseStore,
)

DAY = 24 * 3600 * 1_000_000


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database(f"sqlite:///{tmp_path / 'antiphon.db'}")
    made.prepare()
    yield made
    made.close()


@pytest.fixture
def store(database: Database) -> Iterator[ResponseStore]:
    made = ResponseStore(database)
    yield made
    made.close()


def put(store: ResponseStore, key: str, name: str, previous: str = "", data: bytes = b"x") -> str:
    return store.put(key, lambda: KeptResponse(name, previous, data)).result(5)


def list_rows(database: Database) -> dict[str, int]:
    """Return each response and its expiry."""
    with database.read() as transaction:
        return dict(transaction.execute("SELECT id, expires FROM responses"))


def make_older(database: Database, name: str, days: float) -> None:
    with database.begin() as transaction:
        transaction.execute("UPDATE responses SET expires = expires - ? WHERE id = ?", (int(days * DAY), name))


def test_turns_are_listed_oldest_first_and_only_for_their_key(store: ResponseStore) -> None:
    for name, previous in (("a", ""), ("b", "a"), ("c", "b"), ("other", "a")):
        assert put(store, "k1", name, previous, name.encode()) == ""
    assert store.list_turns("k1", "c") == ([b"a", b"b", b"c"], "")
    assert store.list_turns("k1", "a") == ([b"a"], "")
    assert store.list_turns("k2", "c") == ([], "c")
    assert store.find("k1", "b").data == b"b"
    assert store.find("k2", "b") is None
    assert not store.delete("k2", "b")
    assert store.delete("k1", "b")
    assert store.list_turns("k1", "c") == ([b"c"], "b")


def test_a_turn_of_another_key_is_not_part_of_the_chain(store: ResponseStore) -> None:
    put(store, "k1", "a", data=b"secret")
    put(store, "k2", "b", "a")
    assert store.list_turns("k2", "b") == ([b"x"], "a")


def test_an_id_is_used_once(store: ResponseStore) -> None:
    assert put(store, "k1", "a", data=b"first") == ""
    for key in ("k1", "k2"):
        assert put(store, key, "a", data=b"second") == "its id is taken"
    assert store.find("k1", "a").data == b"first"
    assert store.find("k2", "a") is None


def test_an_expired_response_is_gone_before_the_sweep(store: ResponseStore, database: Database) -> None:
    put(store, "k", "a")
    assert abs(list_rows(database)["a"] - read_time_us() - RETENTION_DAYS * DAY) < DAY
    make_older(database, "a", RETENTION_DAYS + 0.01)
    assert store.find("k", "a") is None
    assert store.list_turns("k", "a") == ([], "a")
    assert not store.delete("k", "a")
    assert set(list_rows(database)) == {"a"}


def test_continuing_prolongs_the_earlier_turns(store: ResponseStore, database: Database) -> None:
    for name, previous in (("a", ""), ("b", "a"), ("side", "a"), ("other", "")):
        put(store, "k", name, previous)
    for name in ("a", "b", "side", "other"):
        make_older(database, name, 29)
    before = list_rows(database)
    put(store, "k", "c", "b")
    after = list_rows(database)
    assert after["a"] == after["b"] == after["c"]
    assert (after["side"], after["other"]) == (before["side"], before["other"])
    put(store, "k", "d", "c")
    assert list_rows(database)["a"] == after["a"]  # not written again within a day


def test_a_sweep_deletes_few_rows_at_a_time(
    store: ResponseStore, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversations, "_SWEEP_ROWS", 10)
    now = read_time_us()
    with database.begin() as transaction:
        old = [(f"old{n}", "k", "", 1, now - 1, b"") for n in range(25)]
        transaction.execute_many(insert("responses", RESPONSES), [*old, ("new", "k", "", 1, now + DAY, b"")])
    left = []
    for _ in range(4):
        store.sweep()
        left.append(len(list_rows(database)))
    assert left == [16, 6, 1, 1]
    make_older(database, "new", 2)
    store.sweep()
    assert set(list_rows(database)) == {"new"}  # an hour later


def test_sizes_are_bounded(store: ResponseStore, database: Database) -> None:
    assert put(store, "k", "exact", data=bytes(RESPONSE_LIMIT)) == ""
    assert put(store, "k", "more", data=bytes(RESPONSE_LIMIT + 1)) == "larger than 4 MiB"
    assert set(list_rows(database)) == {"exact"}
    last = "exact"
    for number in range(CONVERSATION_LIMIT // RESPONSE_LIMIT - 1):
        put(store, "k", f"n{number}", last, bytes(RESPONSE_LIMIT))
        last = f"n{number}"
    assert len(store.list_turns("k", last)[0]) == 8
    put(store, "k", "over", last)
    with pytest.raises(BadRequest, match="32 MiB") as caught:
        store.list_turns("k", "over")
    assert (caught.value.code, caught.value.param) == ("conversation_too_long", "previous_response_id")


def test_a_conversation_has_a_limit_of_turns(store: ResponseStore, database: Database) -> None:
    expires = read_time_us() + DAY
    chain = [(f"r{n}", "k", f"r{n - 1}" if n else "", 1, expires, b"") for n in range(TURNS_LIMIT)]
    with database.begin() as transaction:
        transaction.execute_many(insert("responses", RESPONSES), [*chain, ("ring", "k", "ring", 1, expires, b"")])
    assert len(store.list_turns("k", f"r{TURNS_LIMIT - 2}")[0]) == TURNS_LIMIT - 1
    for name in (f"r{TURNS_LIMIT - 1}", "ring"):
        with pytest.raises(BadRequest, match="may continue"):
            store.list_turns("k", name)


def test_one_failure_affects_no_other_write(store: ResponseStore, caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> KeptResponse:
        raise ValueError("broken")

    made = [
        store.put("k", broken) if n == 3 else store.put("k", lambda n=n: KeptResponse(str(n), "", b"x"))
        for n in range(6)
    ]
    wait(made, 5)
    assert [each.result() for each in made] == ["", "", "", "it cannot be read", "", ""]
    assert "broken" in caplog.text


def test_a_caller_that_leaves_stops_nothing(store: ResponseStore, database: Database) -> None:
    made = [store.put("k", lambda n=n: KeptResponse(str(n), "", b"x")) for n in range(20)]
    assert not any(each.cancel() for each in made)
    store.close()
    assert len(list_rows(database)) == 20


def test_a_missing_database_is_reported(store: ResponseStore, database: Database, tmp_path: Path) -> None:
    put(store, "k", "a")
    store.close()
    database.close()
    for file in tmp_path.iterdir():
        file.unlink()
    again = ResponseStore(database)
    assert put(again, "k", "b") == "the database does not take it"
    with pytest.raises(LedgerError):
        again.find("k", "a")
    again.close()
