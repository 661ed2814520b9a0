"""LiteLLM's own environment: where it is, whether it is the pinned one, how it is installed.

It is installed once per machine and user (``$XDG_DATA_HOME``), or inside the data directory of one gateway. The digest
of the locked requirements and of this Python names its directory, so another lock gives another environment.
"""

import fcntl
import hashlib
import os
import pwd
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec

from antiphon.errors import AntiphonError

REQUIREMENTS = Path(__file__).with_name("requirements.txt")
WORKER = Path(__file__).with_name("worker")
INSTALL_COMMAND = "antiphon longtail install"
_STAMP = "complete"
_PIN = re.compile(r"^litellm==(\S+)", re.MULTILINE)
_PACKAGE = re.compile(r"^[a-z0-9]", re.MULTILINE)
_SHOWN_LINES = 12
"""Lines of a failed command's output in the error's message."""


class LongtailError(AntiphonError):
    """LiteLLM's environment could not be installed or used."""


class Environment(msgspec.Struct, frozen=True):
    """One environment, installed or not; ``root`` is the directory of everything about LiteLLM."""

    root: Path
    digest: str
    version: str
    """The pinned version of LiteLLM."""

    @property
    def folder(self) -> Path:
        return self.root / "venv" / self.digest

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    @property
    def installed(self) -> bool:
        """Whether every package of the lock is there: the stamp is written last."""
        return (self.folder / _STAMP).is_file() and self.python.exists()


def get_environment(root: Path) -> Environment:
    """Return the environment of the packaged lock under ``root``."""
    text = REQUIREMENTS.read_bytes()
    interpreter = f"{sys.implementation.cache_tag} {sys.platform}".encode()
    version = _PIN.search(text.decode())
    assert version is not None, "the packaged lock pins litellm"
    return Environment(root, hashlib.sha256(text + interpreter).hexdigest()[:16], version[1])


def list_roots(data: str | None, environ: Mapping[str, str] | None = None) -> tuple[Path, ...]:
    """Return the directories that may hold an environment, in order: a data directory, then the user's own."""
    environ = os.environ if environ is None else environ
    shared = Path(environ.get("XDG_DATA_HOME", ""))
    if not shared.is_absolute():  # the XDG Base Directory Specification says to ignore it
        shared = _find_home(environ) / ".local" / "share"
    own = shared / "antiphon" / "longtail"
    return (own,) if data is None else (Path(data).absolute() / "longtail", own)


def _find_home(environ: Mapping[str, str]) -> Path:
    """Return the user's home directory, or ``/`` for a user without one; an error message will name it."""
    home = environ.get("HOME", "")
    if os.path.isabs(home):  # noqa: PTH117 (an empty name is not a path)
        return Path(home)
    try:
        return Path(pwd.getpwuid(os.getuid()).pw_dir)
    except KeyError:
        return Path("/")


def get_installed(data: str | None) -> Environment:
    """Return the first installed environment; raises :class:`LongtailError` with the command that installs one."""
    candidates = [get_environment(root) for root in list_roots(data)]
    for candidate in candidates:
        if candidate.installed:
            return candidate
    if any((candidate.root / "venv").is_dir() for candidate in candidates):
        raise LongtailError(
            f"LiteLLM's environment is not the pinned one of this version; run `{INSTALL_COMMAND}` again."
        )
    raise LongtailError(f"LiteLLM is not installed; run `{INSTALL_COMMAND}`, once per machine.")


def install(environment: Environment, report: Callable[[str], None], again: bool = False) -> bool:
    """Install exactly the locked packages; return False if the environment was complete already.

    ``again`` installs even then. ``report`` receives a line for each step. Raises :class:`LongtailError` with the last
    lines of the failed command; a failed installation leaves nothing behind. A successful one removes every other
    environment under the same root.
    """
    with _lock_root(environment.root, report):
        if environment.installed and not again:
            return False
        folder = environment.folder
        shutil.rmtree(folder, ignore_errors=True)
        try:
            _build(environment, report)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)  # 270 MB that nothing would use
            raise
        for other in folder.parent.iterdir():
            if other != folder:
                shutil.rmtree(other, ignore_errors=True)
        return True


def _build(environment: Environment, report: Callable[[str], None]) -> None:
    failure = "LiteLLM's environment could not be made"
    report(f"making an environment for LiteLLM {environment.version} in {environment.folder}")
    _run([sys.executable, "-m", "venv", str(environment.folder)], failure)
    packages = len(_PACKAGE.findall(REQUIREMENTS.read_text("utf-8")))
    report(f"installing {packages} packages, each checked against its hash")
    pip = [str(environment.python), "-m", "pip", "--disable-pip-version-check", "--no-input"]
    # The lock is complete: without --no-deps, pip may ask for a package or an extra that is not in it.
    install = ["install", "--quiet", "--no-deps", "--require-hashes", "--only-binary", ":all:"]
    _run([*pip, *install, "--requirement", str(REQUIREMENTS)], failure)
    _run([*pip, "check"], "The locked packages of LiteLLM's environment do not fit together")
    (environment.folder / _STAMP).write_text(f"litellm {environment.version}\n", "utf-8")


@contextmanager
def _lock_root(root: Path, report: Callable[[str], None]) -> Iterator[None]:
    """Let one installation at a time work on ``root``; another one waits and finds the environment complete."""
    try:
        (root / "venv").mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(root / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise LongtailError(f"{root} cannot be used: {error.strerror}; name another directory with --data") from None
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            report("waiting for another installation in the same place")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _run(command: list[str], failure: str) -> None:
    try:
        done = subprocess.run(  # noqa: S603 (our own command line)
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
    except OSError as error:
        raise LongtailError(f"{command[0]} cannot be run: {error.strerror}") from None
    if done.returncode:
        output = "\n".join(done.stdout.strip().splitlines()[-_SHOWN_LINES:])
        raise LongtailError(f"{failure} (exit code {done.returncode}):\n{output}")
