"""The bench runs: every row is produced and its figures are possible. Never how fast: that is for the bench itself."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ON, OFF = "antiphon, all on", "antiphon, all off"
pytestmark = pytest.mark.timeout(600)  # measures several servers one after the other


@pytest.mark.skipif(not shutil.which("nginx") or not shutil.which("wrk"), reason="nginx and wrk are not installed")
@pytest.mark.skipif(sys.platform != "linux", reason="the bench reads Linux's counters")
def test_the_bench_produces_every_row():
    command = [sys.executable, "-m", "bench", "--smoke", "--json", "--subjects", "nginx,off,on"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    rows = report["rows"]
    for row in ("requests", "streams"):
        assert set(rows[row]) == {"nginx", OFF, ON}
        assert all(0 < figures["cpu"] < 1 and figures["rate"] > 0 for figures in rows[row].values()), rows[row]
    assert set(rows["latency"]) == {"nginx", OFF, ON}
    assert all(10e6 < figures["rss"] < 10e9 for name, figures in rows["memory"].items() if name != "nginx"), rows[
        "memory"
    ]
    assert rows["ready"][ON]["first"] > 0
    assert rows["ready"][ON]["later"] > 0
    assert rows["sdk"]["antiphon"]["sync"] > 0
    assert len(report["figures"]) == 15
    assert report["machine"]["processor"]


def test_the_walk_counts_every_call():
    command = [sys.executable, "-m", "bench.walk", "--json", "--times", "1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    whole, translated = rows["chat to chat, whole"], rows["messages to chat, whole"]
    assert set(rows) == {
        *("chat to chat, whole", "chat to chat, one stream chunk"),
        *("messages to chat, whole", "messages to chat, one stream chunk", "synchronous SDK call"),
    }
    for counts in rows.values():
        assert 1 < counts["files"] <= counts["moves"] + 1 <= counts["calls"], rows
    assert whole["calls"] < translated["calls"]
    assert rows["chat to chat, one stream chunk"]["calls"] < whole["calls"]
