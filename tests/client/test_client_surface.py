"""The public names and the cost of `import antiphon`, and the equality of the two clients' interfaces."""

import inspect
import json
import subprocess
import sys

import pytest

import antiphon
from antiphon import Antiphon, AsyncAntiphon, AsyncStream, Stream, errors
from processes import PATIENCE


def list_error_names(root: type[BaseException]) -> set[str]:
    return {name for name, member in vars(errors).items() if isinstance(member, type) and issubclass(member, root)}


def list_public_members(cls: type) -> dict[str, object]:
    return {name: inspect.getattr_static(cls, name) for name in dir(cls) if not name.startswith("_")}


def test_every_public_name_resolves_and_every_error_is_public() -> None:
    for name in antiphon.__all__:
        assert getattr(antiphon, name) is not None
    assert list_error_names(errors.AntiphonError) <= set(antiphon.__all__)
    assert antiphon.__all__ == sorted(set(antiphon.__all__), key=antiphon.__all__.index)
    assert set(antiphon.__all__) <= set(dir(antiphon))


def test_every_name_of_the_client_is_public() -> None:
    from antiphon import client

    assert set(client.__all__) <= set(antiphon.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="Antifon"):
        _ = antiphon.Antifon


@pytest.mark.parametrize(
    ("sync", "asynchronous", "only_async"), [(Antiphon, AsyncAntiphon, {"aclose"}), (Stream, AsyncStream, {"aclose"})]
)
def test_both_clients_have_the_same_names_and_signatures(sync: type, asynchronous: type, only_async: set[str]) -> None:
    ours, theirs = list_public_members(sync), list_public_members(asynchronous)
    theirs |= dict.fromkeys(("usage", "finish_reason")) if asynchronous is AsyncStream else {}
    assert set(ours) == set(theirs) - only_async
    for name, member in ours.items():
        if inspect.isfunction(member):
            expected = inspect.signature(theirs[name])  # type: ignore[arg-type]
            found = inspect.signature(member)
            assert found.parameters == expected.parameters, name
            returned = str(expected.return_annotation).replace("Async", "")
            assert str(found.return_annotation) == returned, name
            assert member.__doc__, name
    if "__init__" in vars(sync) and sync is Antiphon:
        assert inspect.signature(sync).parameters == inspect.signature(asynchronous).parameters


IMPORT_PROBE = """
import sys, json
roots = tuple(path for path in sys.path if path)
before = set(sys.modules)
seen = []
def hook(event, args):
    if event == "open" and isinstance(args[0], str) and not args[0].startswith(roots):
        seen.append(args[0])
    elif event.split(".")[0] in ("socket", "subprocess") or event == "os.system":
        seen.append(event)
sys.addaudithook(hook)
import antiphon
after = set(sys.modules)
print(json.dumps({"loaded": sorted(after - before), "touched": seen}))
"""


def test_importing_loads_nothing_heavy_and_touches_nothing() -> None:
    run = subprocess.run(
        [sys.executable, "-c", IMPORT_PROBE], capture_output=True, text=True, check=True, timeout=PATIENCE
    )
    found = json.loads(run.stdout)
    assert found["touched"] == []
    loaded = {name.partition(".")[0] for name in found["loaded"]}
    heavy = {"asyncio", "msgspec", "httptools", "uvloop", "pydantic", "sqlalchemy", "uvicorn", "ssl", "socket", "yaml"}
    assert not loaded & heavy
    assert [name for name in found["loaded"] if name.startswith("antiphon")] == ["antiphon"]


def test_errors_load_without_the_client() -> None:
    probe = "import sys, antiphon; antiphon.RateLimited; antiphon.errors; print('antiphon.client' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True, timeout=PATIENCE)
    assert run.stdout.strip() == "False"


def test_a_client_in_process_loads_no_server_and_no_database() -> None:
    probe = (
        "import sys, antiphon\n"
        "with antiphon.Antiphon() as client: client.chat('sim/echo', 'x')\n"
        "print(sorted({'uvicorn', 'sqlalchemy', 'alembic', 'typer', 'rich', 'httpx', 'openai'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True, timeout=PATIENCE)
    assert run.stdout.strip() == "[]"
