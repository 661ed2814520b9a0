"""``antiphon keys`` as people and programs run it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from antiphon.callers.keys import Keys
from antiphon.database.database import Database
from antiphon.errors import Unauthorized


def antiphon(*arguments: str | Path, code: int = 0) -> tuple[str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "antiphon", "keys", *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout, done.stderr


def test_create_list_revoke_beside_a_process_that_runs(database: Database, data: Path):
    keys = Keys(database)
    made = json.loads(
        antiphon("create", "ci", "--model", "b", "--model", "a", "--expires", "30d", "--json", "--data", data)[0]
    )
    keys.refresh()
    caller = keys.lookup(made["key"])
    assert (caller.key_id, caller.name, caller.models) == (made["id"], "ci", {"a", "b"})
    [listed] = json.loads(antiphon("list", "--json", "--data", data)[0])
    assert {name: listed[name] for name in ("id", "name", "state", "models", "expires", "admin")} == {
        "id": made["id"], "name": "ci", "state": "active", "models": ["a", "b"], "expires": made["expires"],
        "admin": False,
    }  # fmt: skip
    assert made["key"] not in antiphon("list", "--data", data)[0]
    assert made["id"] in antiphon("revoke", made["id"], "--data", data)[0]
    keys.refresh()
    with pytest.raises(Unauthorized, match="revoked"):
        keys.lookup(made["key"])
    assert "already" in antiphon("revoke", made["id"], "--data", data)[0]
    assert "revoked" in antiphon("list", "--data", data)[0]


def test_only_the_key_is_on_standard_output(data: Path):
    shown, said = antiphon("create", "--data", data)
    assert shown.startswith("ap-")
    assert len(shown.strip()) == 46
    assert shown.strip() not in said
    assert "antiphon keys revoke key_" in said
    assert (data / "antiphon.db").stat().st_mode & 0o777 == 0o600


def test_an_iso_expiry_and_an_admin_key(data: Path):
    made = json.loads(antiphon("create", "--expires", "2999-01-01", "--admin", "--json", "--data", data)[0])
    assert made["expires"] == "2999-01-01T00:00:00+00:00"
    assert json.loads(antiphon("list", "--json", "--data", data)[0])[0]["admin"] is True


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["create", "--expires", "soon"], 2, "expected a span"),
        (["create", "--expires", "2001-01-01"], 1, "future"),
        (["create", "a\nb"], 1, "not a name"),
        (["create", "--model", ""], 1, "not a model"),
        (["revoke", "key_none"], 1, "antiphon keys list"),
        (["revoke"], 2, "ID"),
        (["forget"], 2, "forget"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    database: Database, data: Path, arguments: list[str], code: int, message: str
):
    shown, said = antiphon(*arguments, "--data", data, code=code)
    assert shown == ""
    assert message in said


def test_listing_a_place_without_keys_makes_nothing(tmp_path: Path):
    _, said = antiphon("list", "--data", tmp_path / "none", code=2)
    assert "no data directory" in said
    assert not (tmp_path / "none").exists()
