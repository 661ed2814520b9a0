"""Keys: shown once, kept as digests, refused when they should be, and noticed by every process within a second."""

import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from antiphon.callers.keys import Keys
from antiphon.clock import read_time_us
from antiphon.database.database import Database
from antiphon.errors import KeyStoreError, Unauthorized

FORM = re.compile(r"ap-[A-Za-z0-9_-]{43}")
MINUTE = 60_000_000


@pytest.fixture
def keys(database: Database) -> Keys:
    return Keys(database)


def test_a_new_key_works_at_once_and_only_its_digest_is_kept(keys: Keys, data: Path):
    key_id, key = keys.create("ci", ["small", "smart"], read_time_us() + MINUTE)
    assert FORM.fullmatch(key)
    caller = keys.lookup(key)
    assert keys.lookup(key.encode()) == caller
    assert (caller.key_id, caller.name, caller.admin) == (key_id, "ci", False)
    assert caller.may_use("small")
    assert not caller.may_use("other")
    files = b"".join(file.read_bytes() for file in data.iterdir())
    assert key_id.encode() in files
    assert key.encode() not in files
    assert key[3:20].encode() not in files


def test_a_key_without_models_may_use_every_model(keys: Keys):
    caller = keys.lookup(keys.create()[1])
    assert caller.may_use("anything")


@pytest.mark.parametrize(
    "token", ["", "ap-", "ap-" + "A" * 43, b"\xff\xfe", "\ud800", "sk-1234", " ", "None", "é" * 5000, b"\x00" * 43]
)
def test_an_unknown_token_is_refused_with_one_message(keys: Keys, token: str | bytes):
    keys.create()
    with pytest.raises(Unauthorized, match="Unknown API key"):
        keys.lookup(token)


def test_nothing_of_a_token_is_in_the_refusal(keys: Keys):
    with pytest.raises(Unauthorized) as caught:
        keys.lookup("ap-tell-nobody")
    assert "tell-nobody" not in str(caught.value)


def test_a_key_nearly_right_is_unknown(keys: Keys):
    key = keys.create()[1]
    for other in (key[:-1], key + "A", key.upper(), key.lower(), " " + key, key + "\n", key[:-1] + "~"):
        with pytest.raises(Unauthorized, match="Unknown"):
            keys.lookup(other)


def test_revoked_and_expired_keys_say_so(keys: Keys):
    revoked_id, revoked = keys.create("old")
    keys.revoke(revoked_id)
    with pytest.raises(Unauthorized, match="revoked"):
        keys.lookup(revoked)
    _, short = keys.create("short", (), read_time_us() + 50_000)
    assert keys.lookup(short).name == "short"
    time.sleep(0.06)
    with pytest.raises(Unauthorized, match="expired"):
        keys.lookup(short)
    assert [key.state(read_time_us()) for key in keys.list()] == ["revoked", "expired"]


def test_revoking_twice_keeps_the_first_date_and_never_brings_a_key_back(keys: Keys, database: Database):
    key_id, key = keys.create()
    assert keys.revoke(key_id).revoked_at is None
    first = keys.revoke(key_id).revoked_at
    assert first is not None
    assert keys.revoke(key_id).revoked_at == first
    with pytest.raises(Unauthorized, match="revoked"):
        Keys(database).lookup(key)


def test_revoking_an_unknown_id_says_where_to_look(keys: Keys):
    with pytest.raises(KeyStoreError, match="antiphon keys list"):
        keys.revoke("key_none")


@pytest.mark.parametrize("name", ["a\r\nb", "x\x00", "\x1b[31m", " ", "y" * 201, "\u202e", "tab\t"])
def test_a_name_that_could_harm_a_log_is_refused(keys: Keys, name: str):
    with pytest.raises(KeyStoreError, match="not a name"):
        keys.create(name)
    with pytest.raises(KeyStoreError, match="not a model"):
        keys.create("fine", [name])
    assert keys.list() == []


def test_an_empty_model_and_a_past_expiry_are_refused(keys: Keys):
    with pytest.raises(KeyStoreError, match="not a model"):
        keys.create("x", [""])
    with pytest.raises(KeyStoreError, match="future"):
        keys.create("x", [], read_time_us() - 1)


OTHER = """
import sys
from antiphon.callers.keys import Keys
from antiphon.database.database import Database
keys = Keys(Database(sys.argv[1]))
print(keys.create("other")[1], flush=True) if sys.argv[2] == "create" else keys.revoke(sys.argv[2])
"""


def elsewhere(database: Database, what: str) -> str:
    done = subprocess.run([sys.executable, "-c", OTHER, database.url, what], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_what_another_process_changes_counts_after_a_refresh(keys: Keys, database: Database):
    key = elsewhere(database, "create")
    with pytest.raises(Unauthorized):
        keys.lookup(key)
    keys.refresh()
    caller = keys.lookup(key)
    elsewhere(database, caller.key_id)
    assert keys.lookup(key) == caller, "nothing is asked of the database between refreshes"
    keys.refresh()
    with pytest.raises(Unauthorized, match="revoked"):
        keys.lookup(key)


def test_a_periodic_refresh_takes_changes_over_within_a_second(keys: Keys, database: Database):
    from antiphon.ledger.periodic import PeriodicTasks

    tasks = PeriodicTasks([keys.refresh])
    tasks.start()
    key = elsewhere(database, "create")
    assert works_within_a_second(keys, key, True)
    elsewhere(database, keys.lookup(key).key_id)
    assert works_within_a_second(keys, key, False)
    tasks.stop()


def works_within_a_second(keys: Keys, key: str, wanted: bool) -> bool:
    end = time.monotonic() + 1.0
    while time.monotonic() < end:
        try:
            keys.lookup(key)
            if wanted:
                return True
        except Unauthorized:
            if not wanted:
                return True
        time.sleep(0.01)
    return False


def test_refresh_reads_the_keys_only_when_something_changed(keys: Keys):
    keys.create()
    snapshot = keys._snapshot
    keys.refresh()
    assert keys._snapshot is snapshot


def test_known_keys_keep_working_without_the_database(keys: Keys, database: Database, data: Path):
    from antiphon.errors import LedgerError

    key = keys.create()[1]
    database.close()
    (data / "antiphon.db").rename(data / "away")
    with pytest.raises(LedgerError):
        keys.refresh()
    assert keys.lookup(key)


def test_the_first_start_makes_an_admin_key_and_shows_it_once(keys: Keys, database: Database, data: Path):
    path = data / "admin.key"
    key = keys.ensure_admin(path)
    assert key is not None
    assert FORM.fullmatch(key)
    assert keys.lookup(key).admin
    assert path.read_text() == key + "\n"
    assert path.stat().st_mode & 0o777 == 0o600
    assert sorted(file.name for file in data.iterdir() if "key" in file.name) == ["admin.key"]
    assert keys.ensure_admin(path) is None
    path.unlink()
    assert Keys(database).ensure_admin(path) is None, "its owner took it away"
    assert not path.exists()


def test_a_key_laid_out_beforehand_becomes_the_admin_key(keys: Keys, data: Path, tmp_path: Path):
    other = Database(f"sqlite:///{tmp_path / 'other.db'}")
    other.prepare()
    key = Keys(other).create()[1]
    other.close()
    path = data / "admin.key"
    path.write_text(key)
    assert keys.ensure_admin(path) == key
    assert keys.lookup(key).admin
    keys.revoke(keys.lookup(key).key_id)
    assert keys.ensure_admin(path) is None
    with pytest.raises(Unauthorized, match="revoked"):
        keys.lookup(key)


@pytest.mark.parametrize(
    "content", ["", "\n", "admin", "changeme", "sk-1234", "ap-" + "A" * 43, "ap-" + "a1" * 21 + "a"]
)
def test_an_empty_or_guessable_secret_is_refused(keys: Keys, data: Path, content: str):
    path = data / "admin.key"
    path.write_text(content)
    with pytest.raises(KeyStoreError, match="refused"):
        keys.ensure_admin(path)
    assert keys.list() == []


def test_many_first_starts_at_once_agree_on_one_admin_key(database: Database, data: Path):
    path = data / "admin.key"
    with ThreadPoolExecutor(8) as pool:
        shown = [key for key in pool.map(lambda _: Keys(database).ensure_admin(path), range(8)) if key is not None]
    assert shown == [path.read_text().strip()]
    assert [key.admin for key in Keys(database).list()] == [True]


def test_an_unwritable_place_is_a_clear_error(keys: Keys, tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(KeyStoreError, match="neither be read nor made"):
        keys.ensure_admin(tmp_path / "file" / "admin.key")
