"""Python environments for packages that cannot be installed beside ours: one for each lock, made once and kept."""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TOOLS = ROOT / ".tools"
UNREACHABLE = re.compile(r"Temporary failure|Connection|timed out|Could not find a version|No matching distribution")
PIP = ("-m", "pip", "--disable-pip-version-check", "--no-input")
LOCKED = ("--no-deps", "--require-hashes", "--only-binary", ":all:")
"""The options with which every lock is installed: nothing is resolved, so nothing outside the lock can be fetched."""


def lock_path(name: str) -> Path:
    return ROOT / "requirements" / f"{name}.txt"


def make_environment(name: str) -> Path:
    """Return the interpreter of an environment with the packages of ``requirements/<name>.txt`` and no others.

    Skips the test where no package registry can be reached.
    """
    folder = TOOLS / name / fingerprint(lock_path(name))
    with hold_lock(folder.parent):
        if not folder.is_dir():
            _remove_others(folder)
            try:
                install_lock(folder, lock_path(name))
            except BaseException:
                shutil.rmtree(folder, ignore_errors=True)
                raise
    return folder / "bin" / "python"


def install_lock(folder: Path, lock: Path) -> None:
    """Make an environment in ``folder`` from a lock, as scripts/setup does it."""
    python = folder / "bin" / "python"
    run([sys.executable, "-m", "venv", "--clear", str(folder)])
    run([str(python), *PIP, "install", "--quiet", *LOCKED, "--requirement", str(lock)])
    run([str(python), *PIP, "check"])


def fingerprint(*files: Path) -> str:
    """Return a name for something made of these files by this Python on this system."""
    made_of = [path.read_bytes() for path in files]
    return hashlib.sha256(b"".join(made_of) + f"{sys.implementation.cache_tag} {sys.platform}".encode()).hexdigest()[
        :16
    ]


def run(command: list[str]) -> str:
    """Run a command that may ask a package registry and return its output; skip the test where none can be reached."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode and UNREACHABLE.search(done.stderr):
        pytest.skip(f"no package registry can be reached: {done.stderr.strip().splitlines()[-1]}")
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
    return done.stdout


@contextmanager
def hold_lock(folder: Path) -> Iterator[None]:
    """Let one process at a time work in ``folder``; the others wait."""
    folder.mkdir(parents=True, exist_ok=True)
    guard = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(guard, fcntl.LOCK_EX)
        yield
    finally:
        os.close(guard)


def _remove_others(kept: Path) -> None:
    for other in kept.parent.glob("*/"):
        if other != kept:
            shutil.rmtree(other)
