"""Files that must stay in step: locks with the package's metadata, generated pages with their sources."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
PIN = re.compile(r"^([a-z0-9][a-z0-9._-]*)==(\S+)", re.MULTILINE)


def lock(name: str) -> str:
    return (ROOT / "requirements" / name).read_text(encoding="utf-8")


def pins(name: str) -> dict[str, str]:
    return dict(PIN.findall(lock(name)))


def wanted(group: str) -> list[Requirement]:
    metadata = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    lists = {"base": metadata["project"]["dependencies"], **metadata["dependency-groups"]}
    return [Requirement(text) for text in lists[group]]


def shell_list(name: str) -> list[str]:
    """Return an array of scripts/lib/generators.sh."""
    program = f'source "{ROOT}/scripts/lib/generators.sh"; printf "%s\\n" "${{{name}[@]}}"'
    return subprocess.run(["bash", "-c", program], capture_output=True, text=True, check=True).stdout.splitlines()


@pytest.mark.parametrize("name", ["base.txt", "dev.txt", "longtail.txt", "anthropic0.txt"])
def test_locks_name_no_address_and_every_pin_has_hashes(name: str):
    text = lock(name)
    assert "://" not in text
    assert "index" not in text
    entries = [entry for entry in re.split(r"\n(?=\S)", text.strip()) if not entry.startswith("#")]
    assert len(entries) > 10
    for entry in entries:
        assert PIN.match(entry), entry
        assert "--hash=sha256:" in entry, entry


@pytest.mark.parametrize(
    ("name", "groups"),
    [
        ("base.txt", ("base", "build")),
        ("dev.txt", ("base", "build", "dev")),
        ("longtail.txt", ("longtail",)),
        ("anthropic0.txt", ("anthropic0",)),
    ],
)
def test_locks_hold_what_the_package_asks_for(name: str, groups: tuple[str, ...]):
    pinned = pins(name)
    for requirement in (requirement for group in groups for requirement in wanted(group)):
        version = pinned.get(requirement.name.lower().replace("_", "-"))
        assert version, f"{requirement} is not in requirements/{name}; run scripts/lock"
        assert requirement.specifier.contains(version), f"{requirement} but requirements/{name} has {version}"


def test_both_locks_agree():
    base, dev = pins("base.txt"), pins("dev.txt")
    assert {name: dev.get(name) for name in base} == base


@pytest.mark.parametrize("generator", [*shell_list("generators"), *shell_list("pinned_generators")])
def test_generated_files_are_in_step(generator: str):
    command = [sys.executable, *generator.split(), "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_tracked_files_name_no_package_index_and_no_machine():
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout: there is no list of tracked files")
    command = [sys.executable, "scripts/lib/tracked.py"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
