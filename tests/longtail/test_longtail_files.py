"""The shipped files: a lock without addresses, and tables that agree with the LiteLLM it pins; installing it."""

import ast
import fcntl
import hashlib
import json
import os
import pwd
import queue
import re
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from antiphon.catalog import longtail as rows
from antiphon.longtail import transport
from antiphon.longtail.capped_log import CappedLog
from antiphon.longtail.environment import (
    REQUIREMENTS,
    WORKER,
    Environment,
    LongtailError,
    get_environment,
    install,
    list_roots,
)
from antiphon.longtail.worker import calls, library, server
from antiphon.longtail.worker_slot import RestartPolicy
from longtail.conftest import SHARED_DATA
from processes import run_cli

LOCK = REQUIREMENTS.read_text("utf-8")
PINS = dict(re.findall(r"^([a-z0-9][a-z0-9._-]*)==([^\s;]+)", LOCK, re.MULTILINE))


def test_the_lock_names_no_address_and_every_pin_has_hashes():
    assert "://" not in LOCK
    assert "--index" not in LOCK
    entries = re.split(r"\n(?=\S)", LOCK.strip())
    assert len(entries) == len(PINS) > 40
    for entry in entries:
        assert "--hash=sha256:" in entry, entry


def test_litellm_is_not_one_of_the_bad_versions():
    version = tuple(map(int, PINS["litellm"].split(".")))
    assert version >= (1, 84, 0)
    assert version not in ((1, 82, 7), (1, 82, 8))


def test_the_names_of_providers_are_those_of_the_pinned_litellm(installed: Environment):
    program = (
        "import os; os.environ['LITELLM_LOCAL_MODEL_COST_MAP'] = 'True'; import litellm\n"
        "print(*sorted(str(getattr(item, 'value', item)) for item in litellm.provider_list))"
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


@pytest.mark.parametrize(("configured", "output"), [(True, "disabled"), (False, "it was fetched")])
def test_litellm_as_configured_fetches_no_image(installed: Environment, configured: bool, output: str):
    """The address is public; LiteLLM itself refuses private ones."""
    settings = [
        f"{name}={value}" for name, value in library.ENVIRONMENT.items() if configured or not name.startswith("MAX_")
    ]
    command = [str(installed.python), "-I", "-c", FETCH, *settings]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")
    assert output in done.stdout + done.stderr


def test_names_used_on_both_sides_are_the_same():
    assert calls.CALL_HEADER == rows.CALL_HEADER
    assert server.SECRET_HEADER.encode() == transport.SECRET_HEADER
    assert {f"/v1{path}" for path in rows.VIAS["litellm"].operations.values()} == set(calls.OPERATIONS)


def test_the_worker_imports_nothing_of_antiphon():
    files = list(WORKER.glob("*.py"))
    nodes = [node for path in files for node in ast.walk(ast.parse(path.read_text("utf-8")))]
    modules = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    modules |= {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom) and not node.level}
    foreign = {module.partition(".")[0] for module in modules} - sys.stdlib_module_names
    assert foreign == {"litellm", "aiohttp", "certifi"}
    relative = {(node.level, node.module) for node in nodes if isinstance(node, ast.ImportFrom) and node.level}
    assert relative < {(1, path.stem) for path in files}


def test_nothing_else_imports_litellm():
    source = Path(rows.__file__).parents[1]
    pattern = re.compile(r"^\s*(import|from) litellm", re.MULTILINE)
    found = [path for path in source.rglob("*.py") if pattern.search(path.read_text("utf-8"))]
    assert found == [WORKER / "library.py"]


def test_another_lock_is_another_environment(tmp_path: Path):
    found = get_environment(tmp_path)
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
def test_the_roots_of_a_user(environ: dict[str, str], expected: str):
    assert list_roots(None, environ) == (Path(expected),)
    assert list_roots("/d", environ) == (Path("/d/longtail"), Path(expected))


def make_complete(environment: Environment) -> None:
    """Make the files of a complete environment."""
    environment.python.parent.mkdir(parents=True)
    environment.python.touch()
    (environment.folder / "complete").touch()


def test_a_complete_environment_is_replaced_only_on_request_and_a_failure_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    lock = tmp_path / "requirements.txt"
    lock.write_text("./nothing-1.0-py3-none-any.whl --hash=sha256:00\n", "utf-8")
    monkeypatch.setattr("antiphon.longtail.environment.REQUIREMENTS", lock)
    environment = Environment(tmp_path, "digest", "1.0")
    make_complete(environment)
    assert not install(environment, lambda line: None)
    with pytest.raises(LongtailError, match=r"could not be made[\s\S]*nothing-1\.0"):
        install(environment, lambda line: None, again=True)
    assert not environment.installed
    assert list((tmp_path / "venv").iterdir()) == []


def write_wheel(folder: Path, requires: str) -> Path:
    """Write the wheel of an empty package that requires another one."""
    path = folder / "nothing-1.0-py3-none-any.whl"
    info = "nothing-1.0.dist-info"
    files = {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: nothing\nVersion: 1.0\nRequires-Dist: {requires}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": f"{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n",
    }
    with zipfile.ZipFile(path, "w") as wheel:
        for name, text in files.items():
            wheel.writestr(name, text)
    return path


def test_an_incomplete_lock_is_not_resolved_but_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    wheel = write_wheel(tmp_path, "absent")
    lock = tmp_path / "requirements.txt"
    lock.write_text(f"{wheel} --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n", "utf-8")
    monkeypatch.setattr("antiphon.longtail.environment.REQUIREMENTS", lock)
    message = r"do not fit together[\s\S]*nothing 1\.0 requires absent, which is not installed"
    with pytest.raises(LongtailError, match=message):
        install(Environment(tmp_path, "digest", "1.0"), lambda line: None)
    assert list((tmp_path / "venv").iterdir()) == []


@pytest.mark.parametrize("place", ["a-file", "a-file/below"])
def test_an_unusable_directory_is_named(tmp_path: Path, place: str):
    (tmp_path / "a-file").write_text("", "utf-8")
    done = run_cli("longtail", "install", "--data", str(tmp_path / place), check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: {tmp_path / place}/longtail cannot be used: Not a directory; name another")
    assert "Traceback" not in done.stderr


def test_a_second_installation_reports_that_it_waits_and_finds_the_environment_complete(tmp_path: Path):
    environment = Environment(tmp_path, "digest", "1.0")
    (tmp_path / "venv").mkdir()
    lines: queue.Queue[str] = queue.Queue()
    with (tmp_path / ".lock").open("w") as guard, ThreadPoolExecutor(1) as pool:
        fcntl.flock(guard, fcntl.LOCK_EX)
        waiting = pool.submit(install, environment, lines.put)
        assert "waiting" in lines.get(timeout=60)
        make_complete(environment)
        fcntl.flock(guard, fcntl.LOCK_UN)
        assert waiting.result(60) is False
    assert lines.empty()


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


def test_pauses_grow_to_a_maximum():
    policy = RestartPolicy(first_pause=0.5, longest_pause=60.0)
    assert [policy.get_pause(failures) for failures in range(1, 6)] == [0.0, 0.5, 1.0, 2.0, 4.0]
    assert policy.get_pause(10_000) == 60.0


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


def test_a_configured_but_unused_provider_costs_nothing(tmp_path: Path):
    config = tmp_path / "antiphon.yaml"
    config.write_text("providers: {watsonx: {via: litellm}}\n", "utf-8")
    command = [sys.executable, "-c", UNUSED, str(config), str(tmp_path / "data")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [[], {}, 1]
    assert not (tmp_path / "data" / "longtail").exists()


def test_a_second_installation_does_nothing(installed: Environment):
    done = run_cli("longtail", "install", "--json")
    assert json.loads(done.stdout) == {
        "version": installed.version,
        "folder": str(installed.folder),
        "installed": False,
    }
    assert str(installed.folder).startswith(str(SHARED_DATA))
    assert not done.stderr
