"""Every Python example in the documentation runs as it stands, offline; a comment `<!-- no-run -->` exempts one."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from processes import PATIENCE

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^(?P<exempt><!-- no-run -->\s*\n)?```python\n(?P<code>.*?)^```", re.MULTILINE | re.DOTALL)


def list_examples() -> Iterator[object]:
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        text = page.read_text(encoding="utf-8")
        for match in BLOCK.finditer(text):
            if not match["exempt"]:
                line = text.count("\n", 0, match.start("code")) + 1
                yield pytest.param(match["code"], id=f"{page.relative_to(ROOT)}:{line}")


@pytest.mark.parametrize("code", list(list_examples()))
def test_example_runs(code: str) -> None:
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout


def test_the_guide_to_the_sdk_has_examples() -> None:
    assert len(BLOCK.findall((ROOT / "docs" / "sdk.md").read_text(encoding="utf-8"))) > 6
