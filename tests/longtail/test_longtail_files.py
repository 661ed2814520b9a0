"""What is shipped: a lock without addresses, and tables that agree with the LiteLLM it pins."""

import ast
import fcntl
import json
import os
import pwd
import queue
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from antiphon.catalog import longtail as rows
from antiphon.longtail import transport
from antiphon.longtail.caplog import CappedLog
from antiphon.longtail.environment import (
    REQUIREMENTS,
    WORKER,
    Environment,
    LongtailError,
    environment,
    install,
    roots,
)
from antiphon.longtail.slot import Pace
from antiphon.longtail.worker import calls, library, server
from living import cli
from longtail.conftest import SHARED

LOCK = REQUIREMENTS.read_text("utf-8")
PINS = dict(re.findall(r"^([a-z0-9][a-z0-9._-]*)==([^\s;]+)", LOCK, re.MULTILINE))


def test_the_lock_names_no_address_and_every_pin_has_hashes():
    assert "://" not in LOCK
    assert "--index" not in LOCK
    entries = re.split(r"\n(?=\S)", LOCK.strip())
    assert len(entries) == len(PINS) > 40
    for entry in entries:
        assert "--hash=sha256:" in entry, entry


def test_litellm_is_none_of_the_bad_versions():
    version = tuple(map(int, PINS["litellm"].split(".")))
    assert version >= (1, 84, 0)
    assert version not in ((1, 82, 7), (1, 82, 8))


def test_the_names_of_providers_are_those_of_the_pinned_litellm(installed: Environment):
    program = (
        "import os; os.environ['LITELLM_LOCAL_MODEL_COST_MAP'] = 'True'; import litellm\n"
        "print(*sorted(str(getattr(each, 'value', each)) for each in litellm.provider_list))"
    )
    command = [str(installed.python), "-I", "-c", program]
    printed = subprocess.run(command, capture_output=True, text=True, check=True, cwd="/").stdout
    assert rows.load_names().litellm == PINS["litellm"] == installed.version
    assert rows.load_names().providers == frozenset(printed.split())
    assert set(rows.load_names().model_prefixes.values()) <= rows.load_names().providers


FETCH = """
import os, sys
os.environ.update(dict(pair.split("=") for pair in sys.argv[1:]))
from litellm.litellm_core_utils.prompt_templates import image_handling
def fetch(*args, **more):
    raise SystemExit("it was fetched")
image_handling.safe_get = fetch
try:
    image_handling.convert_url_to_base64("http://192.0.2.1/cat.png")
except Exception as error:
    print(error)
"""


@pytest.mark.parametrize(("quiet", "said"), [(True, "disabled"), (False, "it was fetched")])
def test_litellm_fetches_no_image_when_it_is_quiet(installed: Environment, quiet: bool, said: str):
    """Where a public address is concerned; private ones LiteLLM refuses by itself."""
    settings = [f"{name}={value}" for name, value in library.QUIET.items() if quiet or not name.startswith("MAX_")]
    command = [str(installed.python), "-I", "-c", FETCH, *settings]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")
    assert said in done.stdout + done.stderr


def test_what_is_named_on_both_sides_has_one_name():
    assert calls.CALL_HEADER == rows.CALL_HEADER
    assert server.SECRET_HEADER.encode() == transport.SECRET_HEADER
    assert {f"/v1{path}" for path in rows.VIAS["litellm"].operations.values()} == set(calls.OPERATIONS)


def test_the_worker_imports_nothing_of_ours():
    files = list(WORKER.glob("*.py"))
    nodes = [node for path in files for node in ast.walk(ast.parse(path.read_text("utf-8")))]
    modules = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    modules |= {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom) and not node.level}
    foreign = {module.partition(".")[0] for module in modules} - sys.stdlib_module_names
    assert foreign == {"litellm", "aiohttp", "certifi"}
    near = {(node.level, node.module) for node in nodes if isinstance(node, ast.ImportFrom) and node.level}
    assert near < {(1, path.stem) for path in files}


def test_nothing_else_imports_litellm():
    source = Path(rows.__file__).parents[1]
    importing = re.compile(r"^\s*(import|from) litellm", re.MULTILINE)
    found = [path for path in source.rglob("*.py") if importing.search(path.read_text("utf-8"))]
    assert found == [WORKER / "library.py"]


def test_another_lock_is_another_environment(tmp_path: Path):
    found = environment(tmp_path)
    assert found.folder.parent == tmp_path / "venv"
    assert found.version == PINS["litellm"]
    assert not found.installed


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"XDG_DATA_HOME": "/x/data", "HOME": "/x"}, "/x/data/antiphon/longtail"),
        ({"XDG_DATA_HOME": "data", "HOME": "/x"}, "/x/.local/share/antiphon/longtail"),
        ({"XDG_DATA_HOME": "", "HOME": "/x"}, "/x/.local/share/antiphon/longtail"),
        ({"HOME": ""}, f"{pwd.getpwuid(os.getuid()).pw_dir}/.local/share/antiphon/longtail"),
        ({}, f"{pwd.getpwuid(os.getuid()).pw_dir}/.local/share/antiphon/longtail"),
    ],
)
def test_where_a_user_keeps_it(environ: dict[str, str], expected: str):
    assert roots(None, environ) == (Path(expected),)
    assert roots("/d", environ) == (Path("/d/longtail"), Path(expected))


def standing(wanted: Environment) -> None:
    """Make what looks like a complete environment."""
    wanted.python.parent.mkdir(parents=True)
    wanted.python.touch()
    (wanted.folder / "complete").touch()


def test_one_that_stands_is_made_anew_only_when_asked_and_nothing_stays_of_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    lock = tmp_path / "requirements.txt"
    lock.write_text("./nothing-1.0-py3-none-any.whl --hash=sha256:00\n", "utf-8")
    monkeypatch.setattr("antiphon.longtail.environment.REQUIREMENTS", lock)
    wanted = Environment(tmp_path, "digest", "1.0")
    standing(wanted)
    assert not install(wanted, lambda line: None)
    with pytest.raises(LongtailError, match=r"could not be made[\s\S]*nothing-1\.0"):
        install(wanted, lambda line: None, again=True)
    assert not wanted.installed
    assert list((tmp_path / "venv").iterdir()) == []


@pytest.mark.parametrize("place", ["a-file", "a-file/below"])
def test_a_place_that_cannot_be_used_is_named(tmp_path: Path, place: str):
    (tmp_path / "a-file").write_text("", "utf-8")
    done = cli("longtail", "install", "--data", str(tmp_path / place), check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: {tmp_path / place}/longtail cannot be used: Not a directory; name another")
    assert "Traceback" not in done.stderr


def test_who_waits_for_another_installation_is_told_and_finds_it_done(tmp_path: Path):
    wanted = Environment(tmp_path, "digest", "1.0")
    (tmp_path / "venv").mkdir()
    said: queue.Queue[str] = queue.Queue()
    with (tmp_path / ".lock").open("w") as guard, ThreadPoolExecutor(1) as pool:
        fcntl.flock(guard, fcntl.LOCK_EX)
        waiting = pool.submit(install, wanted, said.put)
        assert "waiting" in said.get(timeout=10)
        standing(wanted)
        fcntl.flock(guard, fcntl.LOCK_UN)
        assert waiting.result(10) is False
    assert said.empty()


@pytest.mark.parametrize("piece", [1, 700, 5000])
def test_a_log_keeps_its_size(tmp_path: Path, piece: int):
    log = CappedLog(tmp_path / "run" / "x.log", limit=2000)
    for number in range(3000 // min(piece, 500)):
        log.write(bytes([65 + number % 26]) * piece)
    log.close()
    sizes = {path.name: path.stat().st_size for path in (tmp_path / "run").iterdir()}
    assert set(sizes) == {"x.log", "x.log.1"}
    assert all(0 < size <= 2000 for size in sizes.values())
    assert (tmp_path / "run" / "x.log").stat().st_mode & 0o777 == 0o600


def test_pauses_grow_and_end():
    pace = Pace(pause=0.5, longest=60.0)
    assert [pace.rest(failures) for failures in range(1, 6)] == [0.0, 0.5, 1.0, 2.0, 4.0]
    assert pace.rest(10_000) == 60.0


UNUSED = """
import asyncio, json, sys
from antiphon.config import load_config
from antiphon.runtime import Runtime
async def main():
    runtime = Runtime(load_config(sys.argv[1]), data=sys.argv[2])
    await runtime.start()
    runtime.catalog.resolve("watsonx/x")
    loaded = [name for name in sys.modules if name.startswith(("antiphon.longtail", "litellm", "aiohttp"))]
    print(json.dumps([loaded, runtime.read_health(), len(asyncio.all_tasks())]))
    await runtime.close()
asyncio.run(main())
"""


def test_what_is_configured_but_unused_costs_nothing(tmp_path: Path):
    config = tmp_path / "antiphon.yaml"
    config.write_text("providers: {watsonx: {via: litellm}}\n", "utf-8")
    command = [sys.executable, "-c", UNUSED, str(config), str(tmp_path / "data")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [[], {}, 1]
    assert not (tmp_path / "data" / "longtail").exists()


def test_an_installation_is_made_once(installed: Environment):
    done = cli("longtail", "install", "--json")
    assert json.loads(done.stdout) == {
        "version": installed.version,
        "folder": str(installed.folder),
        "installed": False,
    }
    assert str(installed.folder).startswith(str(SHARED))
    assert not done.stderr
