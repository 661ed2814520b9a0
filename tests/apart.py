"""Packages that cannot be installed beside ours: each lock in a folder of its own, made at first use and kept."""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TOOLS = ROOT / ".tools"
UNREACHABLE = re.compile(r"Temporary failure|Connection|timed out|Could not find a version|No matching distribution")


def packages(name: str) -> Path:
    """Return a folder to put on ``PYTHONPATH`` with what ``requirements/<name>.txt`` pins, checked against its hashes.

    Skips the test where no package registry can be reached.
    """
    lock = ROOT / "requirements" / f"{name}.txt"
    made_of = lock.read_bytes() + f"{sys.implementation.cache_tag} {sys.platform}".encode()
    folder = TOOLS / name / hashlib.sha256(made_of).hexdigest()[:16]
    folder.parent.mkdir(parents=True, exist_ok=True)
    guard = os.open(folder.parent / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(guard, fcntl.LOCK_EX)
        if not folder.is_dir():
            _fill(folder, lock)
    finally:
        os.close(guard)
    return folder


def _fill(folder: Path, lock: Path) -> None:
    for old in folder.parent.glob("*/"):
        shutil.rmtree(old)
    unfinished = folder.with_name("unfinished")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
    command += ["--require-hashes", "--only-binary", ":all:", "--target", str(unfinished), "--requirement", str(lock)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode and UNREACHABLE.search(done.stderr):
        pytest.skip(f"{lock.name} cannot be installed here: {done.stderr.strip().splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    unfinished.rename(folder)  # half an installation has another name
