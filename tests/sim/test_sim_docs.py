"""The manual agrees with the tables in the code."""

import re
from pathlib import Path

from antiphon.sim.behaviour import KINDS, OPTIONS
from antiphon.sim.script_file import parse_script

PAGE = (Path(__file__).parents[2] / "docs" / "simulator.md").read_text(encoding="utf-8")


def read_rows(title: str) -> dict[str, list[str]]:
    table = PAGE.partition(f"| {title} |")[2].partition("\n\n")[0]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]
    return {row[0].strip("`"): row[1:] for row in cells}


def test_every_name_is_documented() -> None:
    documented = read_rows("name")
    assert list(documented) == list(KINDS)
    for name, kind in KINDS.items():
        assert documented[name] == [kind.help, " ".join(f"`{option}`" for option in kind.options)]


def test_every_option_is_documented() -> None:
    documented = read_rows("option")
    assert list(documented) == list(OPTIONS)
    for name, (_, help_text) in OPTIONS.items():
        assert documented[name][0].startswith(help_text)


def test_the_example_script_is_valid() -> None:
    example = re.search(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    assert len(parse_script(example[1]).rules) == 5
