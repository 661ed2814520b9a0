"""The generated pages are what their sources say, and the examples in them load."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from antiphon.catalog.kinds import QUIRKS, load_kinds

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "docs/configuration.md", ROOT / "docs/providers.md"]
BLOCK = re.compile(r"```yaml\n(.*?)```", re.DOTALL)
EXAMPLES = [(page.name, example) for page in PAGES for example in BLOCK.findall(page.read_text("utf-8"))]


def test_generated_pages_are_up_to_date():
    result = subprocess.run(
        [sys.executable, ROOT / "scripts/docs-catalog", "--check"], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(("page", "example"), EXAMPLES)
def test_an_example_of_the_documentation_loads(files, page: str, example: str):
    assert files.load(example, {"OPENAI_API_KEY": "a", "AZURE_API_KEY": "b", "MY_KEY": "c"}).models(), page


def test_every_kind_and_every_quirk_is_on_the_page():
    text = (ROOT / "docs/providers.md").read_text("utf-8")
    for name in (*load_kinds(), *QUIRKS):
        assert f"`{name}`" in text
