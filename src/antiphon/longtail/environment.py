"""LiteLLM's own environment: where it is, whether it is the pinned one, how it is made.

It is made once per machine and user (``$XDG_DATA_HOME``), or inside one gateway's data directory. Its directory is
named by the digest of the locked requirements and of this Python, so that another lock is another environment.
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
INSTALL = "antiphon longtail install"
_STAMP = "complete"
_PIN = re.compile(r"^litellm==(\S+)", re.MULTILINE)


class LongtailError(AntiphonError):
    """LiteLLM's environment could not be made or used."""


class Environment(msgspec.Struct, frozen=True):
    """One environment, there or not yet; ``root`` is the directory of everything about LiteLLM."""

    root: Path
    digest: str
    version: str
    """Of LiteLLM, as pinned."""

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


def environment(root: Path) -> Environment:
    """Return the environment of the packaged lock under ``root``."""
    text = REQUIREMENTS.read_bytes()
    interpreter = f"{sys.implementation.cache_tag} {sys.platform}".encode()
    version = _PIN.search(text.decode())
    assert version is not None, "the packaged lock pins litellm"
    return Environment(root, hashlib.sha256(text + interpreter).hexdigest()[:16], version[1])


def roots(data: str | None, environ: Mapping[str, str] | None = None) -> tuple[Path, ...]:
    """Return where an environment is looked for, in order: a data directory, then the user's own place."""
    environ = os.environ if environ is None else environ
    shared = Path(environ.get("XDG_DATA_HOME", ""))
    if not shared.is_absolute():  # to be ignored, says the XDG Base Directory Specification
        shared = _home(environ) / ".local" / "share"
    own = shared / "antiphon" / "longtail"
    return (own,) if data is None else (Path(data).absolute() / "longtail", own)


def _home(environ: Mapping[str, str]) -> Path:
    """Return the user's directory; one without a name or a directory has the root, which a message will name."""
    named = environ.get("HOME", "")
    if os.path.isabs(named):  # noqa: PTH117 (an empty name is not a path)
        return Path(named)
    try:
        return Path(pwd.getpwuid(os.getuid()).pw_dir)
    except KeyError:
        return Path("/")


def find(data: str | None) -> Environment:
    """Return the first environment that is installed; raises :class:`LongtailError` saying how to install one."""
    candidates = [environment(root) for root in roots(data)]
    for candidate in candidates:
        if candidate.installed:
            return candidate
    if any((candidate.root / "venv").is_dir() for candidate in candidates):
        raise LongtailError(f"LiteLLM's environment is not the pinned one of this version; run `{INSTALL}` again.")
    raise LongtailError(f"LiteLLM is not installed; run `{INSTALL}`, once per machine.")


def install(wanted: Environment, say: Callable[[str], None], again: bool = False) -> bool:
    """Make an environment of exactly the locked packages; returns False where it was there already.

    ``again`` makes it anew all the same. ``say`` is told what happens, line by line. Raises :class:`LongtailError` with
    the last words of what failed; nothing of a failed installation stays. Other environments under the same root are
    removed afterwards.
    """
    with _alone(wanted.root, say):
        if wanted.installed and not again:
            return False
        folder = wanted.folder
        shutil.rmtree(folder, ignore_errors=True)
        try:
            _make(wanted, say)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)  # 270 MB that nothing would use
            raise
        for other in folder.parent.iterdir():
            if other != folder:
                shutil.rmtree(other, ignore_errors=True)
        return True


def _make(wanted: Environment, say: Callable[[str], None]) -> None:
    say(f"making an environment for LiteLLM {wanted.version} in {wanted.folder}")
    _run([sys.executable, "-m", "venv", str(wanted.folder)])
    packages = len(re.findall(r"^[a-z0-9]", REQUIREMENTS.read_text("utf-8"), re.MULTILINE))
    say(f"installing {packages} packages, each checked against its hash")
    _run(
        [
            *(str(wanted.python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"),
            *("--require-hashes", "--only-binary", ":all:", "--requirement", str(REQUIREMENTS)),
        ]
    )
    (wanted.folder / _STAMP).write_text(f"litellm {wanted.version}\n", "utf-8")


@contextmanager
def _alone(root: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Let one installation at a time work on ``root``; whoever waited finds the work done."""
    try:
        (root / "venv").mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(root / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise LongtailError(f"{root} cannot be used: {error.strerror}; name another directory with --data") from None
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another installation in the same place")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(  # noqa: S603 (our own command line)
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
    except OSError as error:
        raise LongtailError(f"{command[0]} cannot be run: {error.strerror}") from None
    if done.returncode:
        last = "\n".join(done.stdout.strip().splitlines()[-12:])
        raise LongtailError(f"LiteLLM's environment could not be made (exit code {done.returncode}):\n{last}")
