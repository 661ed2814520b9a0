"""The bench runs: every row is produced and its figures are possible. Never how fast: that is for the bench itself."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ON, OFF = "antiphon, all on", "antiphon, all off"


@pytest.mark.skipif(not shutil.which("nginx") or not shutil.which("wrk"), reason="nginx and wrk are not installed")
@pytest.mark.skipif(sys.platform != "linux", reason="the bench reads Linux's counters")
def test_the_bench_produces_every_row():
    command = [sys.executable, "-m", "bench", "--smoke", "--json", "--subjects", "nginx,off,on"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=110)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    rows = told["rows"]
    for row in ("requests", "streams"):
        assert set(rows[row]) == {"nginx", OFF, ON}
        assert all(0 < figures["cpu"] < 1 and figures["rate"] > 0 for figures in rows[row].values()), rows[row]
    assert set(rows["latency"]) == {"nginx", OFF, ON}
    assert all(10e6 < figures["rss"] < 10e9 for name, figures in rows["held"].items() if name != "nginx"), rows["held"]
    assert rows["ready"][ON]["fresh"] > 0
    assert rows["ready"][ON]["again"] > 0
    assert rows["sdk"]["antiphon"]["sync"] > 0
    assert len(told["figures"]) == 12
    assert told["machine"]["processor"]
