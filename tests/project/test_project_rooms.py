"""The house: layers hold, every room has its door sign, nothing outgrows a screen, nothing public moves unseen."""

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "antiphon"
FILES = sorted(SOURCE.rglob("*.py"))
ROOMS = sorted(path for path in SOURCE.iterdir() if (path / "__init__.py").exists())

PUBLIC = {
    "Antiphon", "AntiphonError", "AsyncAntiphon", "AsyncStream", "BadAnswer", "BadRequest", "CallError", "Cancelled",
    "ConfigError", "ConnectFailed", "Disconnected", "Embeddings", "Event", "Forbidden", "KeyStoreError", "LedgerError",
    "MethodNotAllowed", "ModelCard", "ModelNotFound", "NoCredential", "NotFound", "RateLimited", "Reply",
    "SlowRequest", "Stream", "TooLarge", "TransportMisuse", "Truncated", "Unauthorized", "Unavailable",
    "UnsupportedMedia", "UpstreamError", "UpstreamStatus", "UpstreamTimeout", "View", "__version__", "errors",
}  # fmt: skip


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def test_layers_hold():
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_contributors_see_the_same_layers():
    stated = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]
    shown = "\n".join(stated[0]["layers"])
    assert f"```\n{shown}\n```" in (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.name)
def test_every_room_has_a_door_sign(room: Path):
    sign = " ".join((ast.get_docstring(ast.parse((room / "__init__.py").read_text(encoding="utf-8"))) or "").split())
    assert "belongs" in sign, f"{room.name}/__init__.py does not say what belongs in this room"
    assert "not" in sign, f"{room.name}/__init__.py does not say what does not belong in it"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_files_and_functions_stay_readable(path: Path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 500
    for function in functions(path):
        assert function.end_lineno is not None
        assert function.end_lineno - function.lineno < 60, f"{path.name}: {function.name}"


def test_public_names_are_these_and_each_exists():
    import antiphon

    assert set(antiphon.__all__) == PUBLIC
    for name in PUBLIC:
        assert getattr(antiphon, name) is not None


def test_importing_the_package_loads_nothing_heavy():
    program = (
        "import sys; before = set(sys.modules); import antiphon\n"
        "loaded = {name.partition('.')[0] for name in set(sys.modules) - before} - {'antiphon'}\n"
        "print(sorted(loaded - sys.stdlib_module_names | loaded & {'asyncio', 'ssl', 'socket', 'http', 'sqlite3'}))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
