"""The generated pages match their sources, and the examples in them load."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from antiphon.catalog.kinds import QUIRKS, load_kinds

ROOT = Path(__file__).resolve().parents[2]
PROVIDERS = ROOT / "docs/providers"
PAGES = [ROOT / "docs/configuration.md", ROOT / "docs/providers.md", *sorted(PROVIDERS.glob("*.md"))]
BLOCK = re.compile(r"```yaml\n(.*?)```", re.DOTALL)
EXAMPLES = [(page.name, example) for page in PAGES for example in BLOCK.findall(page.read_text("utf-8"))]


VARIABLE = re.compile(r"\$\{(\w+)\}")
ADDRESSES = {name for kind in load_kinds().values() for name in kind.base_url_env}


def test_generated_pages_are_up_to_date():
    result = subprocess.run(
        [sys.executable, ROOT / "scripts/docs-catalog", "--check"], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(("page", "example"), EXAMPLES)
def test_an_example_of_the_documentation_loads(files, page: str, example: str):
    environ = {name: "https://host.example" if name in ADDRESSES else "x1" for name in VARIABLE.findall(example)}
    assert files.load(example, environ).list_models(), page


def test_every_kind_has_a_page_and_is_in_the_index_with_every_quirk():
    text = (ROOT / "docs/providers.md").read_text("utf-8")
    for name in (*load_kinds(), *QUIRKS):
        assert f"`{name}`" in text
    assert {path.stem for path in PROVIDERS.iterdir()} == set(load_kinds())


@pytest.mark.parametrize("kind", load_kinds())
def test_a_page_contains_its_whole_row(kind: str):
    row = load_kinds()[kind]
    text = (PROVIDERS / f"{kind}.md").read_text("utf-8")
    words = row.env if row.key != "none" else ()
    words += tuple(name for param in row.params.values() for name in param.env) + tuple(row.params) + row.features
    words += row.base_url_env + tuple(row.list_operations()) + tuple(row.list_operations().values()) + tuple(row.quirks)
    for word in words:
        assert f"`{word}`" in text
    for note in row.notes:
        assert note in text
    assert row.checked in text


def test_a_page_without_a_kind_is_reported_and_removed(tmp_path: Path):
    for part in ("docs", "scripts", "src/antiphon/catalog/kinds", "src/antiphon/catalog/profiles"):
        shutil.copytree(ROOT / part, tmp_path / part)
    script, extra = tmp_path / "scripts/docs-catalog", tmp_path / "docs/providers/removed.md"
    extra.write_text("# Removed\n")
    (tmp_path / "docs/providers/openai.md").write_text("# OpenAI\n")
    result = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert result.stderr.count("\n") == 2
    assert "docs/providers/openai.md is out of date" in result.stderr
    assert "docs/providers/removed.md is out of date" in result.stderr
    subprocess.run([sys.executable, script], capture_output=True, check=True)
    assert not extra.exists()
    subprocess.run([sys.executable, script, "--check"], check=True)
