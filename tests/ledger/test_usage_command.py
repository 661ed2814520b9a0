"""``antiphon usage`` as people and programs run it."""

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from antiphon.database.database import Database
from antiphon.ledger.journal import Journal
from antiphon.ledger.writer import get_segment_path
from antiphon.types import Outcome, Usage
from ledger.running import StartShipper, count_calls, wait_until
from ledger.samples import NOON, make_record

CONFIG = """
version: 1
data: {data}
providers:
  house: {{kind: vllm, base_url: "http://127.0.0.1:9/v1"}}
models:
  priced:
    targets: [house/m]
"""


@pytest.fixture
def stopped(data: Path) -> Path:
    """The data directory of a killed gateway: a journal, and a database without its records."""
    database = Database(f"sqlite:///{data / 'antiphon.db'}")
    database.prepare()
    database.close()
    journal = Journal(data / "journal")
    for each in (
        make_record(id="call_1", usage=Usage(input=1000, output=10), cost=3_000_000_001),
        make_record(id="call_2", time=NOON + 1, model="small, cheap", usage=Usage(output=2), cost=None),
        make_record(id="call_3", time=NOON + 2, outcome=Outcome.ERROR, usage=None, cost=None, error='a "quoted"\nline'),
    ):
        journal.append(each)
    journal.close()
    return data


def run_antiphon(*arguments: str | Path, code: int = 0, cwd: Path | None = None) -> tuple[str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "antiphon", *map(str, arguments)], capture_output=True, text=True, check=False, cwd=cwd
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout, done.stderr


def test_json_has_exact_sums_and_includes_records_not_yet_shipped(stopped: Path):
    result = json.loads(run_antiphon("usage", "--by", "model", "--json", "--data", stopped)[0])
    assert [row["model"] for row in result["rows"]] == ["smart", "small, cheap"]
    assert result["rows"][1]["cost"] is None
    total = result["total"]
    assert (total["calls"], total["errors"], total["unpriced"]) == (3, 1, 1)
    assert (total["cost"], total["cost_picodollars"]) == ("0.003000000001", 3_000_000_001)
    assert total["tokens"]["input"] == 1000
    assert total["tokens"]["total"] == 1012
    assert list((stopped / "journal").iterdir()) == []


def test_csv_reads_back(stopped: Path):
    rows = list(csv.DictReader(io.StringIO(run_antiphon("usage", "--by", "call", "--csv", "--data", stopped)[0])))
    assert [row["call"] for row in rows] == ["call_3", "call_2", "call_1", "total"]
    assert rows[0]["error"] == 'a "quoted"\nline'
    assert rows[1]["model"] == "small, cheap"
    assert rows[1]["cost"] == ""
    assert rows[3]["cost_picodollars"] == "3000000001"
    assert rows[3]["tokens_output"] == "12"


def test_units_are_shown_if_there_are_any(data: Path):
    database = Database(f"sqlite:///{data / 'antiphon.db'}")
    database.prepare()
    database.close()
    journal = Journal(data / "journal")
    journal.append(make_record(usage=Usage(input=5), cost=1))
    assert "units" not in run_antiphon("usage", "--data", data)[0]
    journal.append(make_record(model="say", usage=Usage(seconds=60, searches=2), cost=None))
    journal.close()
    lines = run_antiphon("usage", "--by", "model", "--data", data)[0].splitlines()
    assert "units" in lines[0]
    assert any(line.startswith("say") and "60 seconds, 2 searches" in line and "unknown" in line for line in lines)
    total = json.loads(run_antiphon("usage", "--json", "--data", data)[0])["total"]
    assert total["units"] == {"images": 0, "seconds": 60, "characters": 0, "searches": 2}
    assert total["unpriced"] == 1
    rows = list(csv.DictReader(io.StringIO(run_antiphon("usage", "--by", "call", "--csv", "--data", data)[0])))
    assert (rows[-1]["seconds"], rows[-1]["tokens_cache_write_long"]) == ("60", "0")


@pytest.mark.parametrize("by", ["day", "model", "key", "call"])
def test_the_table_has_a_total(stopped: Path, by: str):
    lines = run_antiphon("usage", "--by", by, "--data", stopped)[0].splitlines()
    assert lines[0].startswith(by)
    assert lines[-1].startswith("total")
    assert "0.003000000001" in lines[-1]


def test_filters_and_limits(stopped: Path):
    output, _ = run_antiphon("usage", "--model", "smart", "--since", "2025-11-20", "--until", "2025-11-21", "--json",
                        "--data", stopped)  # fmt: skip
    assert json.loads(output)["total"]["calls"] == 2
    output, _ = run_antiphon("usage", "--key", "key_none", "--json", "--data", stopped)
    assert json.loads(output)["total"]["calls"] == 0
    output, errors = run_antiphon("usage", "--by", "call", "--limit", "1", "--data", stopped)
    assert len(output.splitlines()) == 3
    assert "2 more lines" in errors


def test_repricing_and_the_data_directory_of_a_configuration(stopped: Path, tmp_path: Path):
    (tmp_path / "antiphon.yaml").write_text(CONFIG.format(data=stopped))
    output, _ = run_antiphon("usage", "--reprice", "--json", cwd=tmp_path)
    total = json.loads(output)["total"]
    assert total["cost_picodollars"] == 3_000_000_001
    assert total["repriced_unpriced"] == 2
    assert total["repriced"] is None
    output, _ = run_antiphon("usage", "--config", tmp_path / "antiphon.yaml", "--json")
    assert "repriced" not in json.loads(output)["total"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--by", "year"], "not one of day, model, key, call"),
        (["--since", "yesterday"], "expected a span"),
        (["--zone", "Nowhere"], "not a time zone"),
        (["--json", "--csv"], "exclude each other"),
        (["--limit", "0"], "limit"),
        (["--nonsense"], "nonsense"),
    ],
)
def test_wrong_arguments_end_with_exit_code_two(stopped: Path, arguments: list[str], message: str):
    output, errors = run_antiphon("usage", *arguments, "--data", stopped, code=2)
    assert message in errors
    assert output == ""


def test_a_missing_ledger_is_not_created(tmp_path: Path):
    _, errors = run_antiphon("usage", "--data", tmp_path / "none", code=2)
    assert "no data directory" in errors
    assert not (tmp_path / "none").exists()


def test_verify_reports_a_sound_ledger_and_names_faults(stopped: Path):
    output, _ = run_antiphon("usage", "verify", "--data", stopped)
    assert "3 pending" in output
    assert "sound" in output
    [writer] = (stopped / "journal").iterdir()
    path = get_segment_path(writer, 1)
    content = bytearray(path.read_bytes())
    content[60] ^= 1
    path.write_bytes(bytes(content))
    _, errors = run_antiphon("usage", "verify", "--data", stopped, code=1)
    assert "fault: " in errors
    assert "damaged at byte" in errors
    output, _ = run_antiphon("usage", "--data", stopped, "verify", "--json", code=1)
    assert json.loads(output)["sound"] is False


def test_both_commands_are_safe_beside_a_running_gateway(
    data: Path, database: Database, journal: Journal, start_shipper: StartShipper
):
    start_shipper(separate=True)
    for _ in range(200):
        journal.append(make_record())
    assert "sound" in run_antiphon("usage", "verify", "--data", data)[0]
    wait_until(lambda: count_calls(database) == 200)
    for _ in range(10):
        journal.append(make_record())
    assert json.loads(run_antiphon("usage", "--json", "--data", data)[0])["total"]["calls"] >= 200
    assert journal.writer.path.exists()
    assert "sound" in run_antiphon("usage", "verify", "--data", data)[0]
