"""Files that must stay in step: locks with the package's metadata, generated pages with their sources."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from environments import lock_path

ROOT = Path(__file__).resolve().parents[2]
PIN = re.compile(r"^([a-z0-9][a-z0-9._-]*)==(\S+)", re.MULTILINE)


LOCKS = {
    "base": ("base", "build"),
    "dev": ("base", "build", "dev"),
    "longtail": ("longtail",),
    "anthropic0": ("anthropic0",),
    "pip": ("pip",),
}
"""Each lock and the lists of pyproject.toml that it is made from; "base" is the package's own dependencies."""


def list_requirements(lock: str) -> list[Requirement]:
    """Return what pyproject.toml asks for in a lock."""
    metadata = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    lists = {"base": metadata["project"]["dependencies"], **metadata["dependency-groups"]}
    return [Requirement(text) for group in LOCKS[lock] for text in lists[group]]


def shell_list(name: str) -> list[str]:
    """Return an array of scripts/lib/generators.sh."""
    program = f'source "{ROOT}/scripts/lib/generators.sh"; printf "%s\\n" "${{{name}[@]}}"'
    return subprocess.run(["bash", "-c", program], capture_output=True, text=True, check=True).stdout.splitlines()


def test_every_lock_is_checked():
    assert {path.stem for path in (ROOT / "requirements").iterdir()} == LOCKS.keys()


@pytest.mark.parametrize("name", LOCKS)
def test_locks_name_no_address_and_every_pin_has_hashes(name: str):
    text = lock_path(name).read_text(encoding="utf-8")
    assert "://" not in text
    assert "index" not in text
    entries = [entry for entry in re.split(r"\n(?=\S)", text.strip()) if not entry.startswith("#")]
    assert len(entries) > 3
    for entry in entries:
        assert PIN.match(entry), entry
        assert "--hash=sha256:" in entry, entry


@pytest.mark.parametrize("name", LOCKS)
def test_locks_hold_what_the_package_asks_for(name: str):
    pins = PIN.findall(lock_path(name).read_text(encoding="utf-8"))
    for requirement in list_requirements(name):
        versions = [version for package, version in pins if package == requirement.name.lower().replace("_", "-")]
        assert any(map(requirement.specifier.contains, versions)), f"{requirement} is not in requirements/{name}.txt"


def test_both_locks_agree():
    base, dev = (dict(PIN.findall(lock_path(name).read_text(encoding="utf-8"))) for name in ("base", "dev"))
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
