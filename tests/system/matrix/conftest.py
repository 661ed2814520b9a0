import base64
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from processes import Gateway, Sim
from system.matrix.natives import NativeProvider
from system.matrix.openai_callers import Chat, Responses
from system.matrix.other_callers import Converse, Generate, Messages
from system.matrix.questions import WIRES

SCRIPT = r"""
rules:
  - exact: weather
    thinking: I should look.
    tools:
      - {name: get_weather, arguments: {city: "Zürich 東京 \"🌦\""}}
      - {name: now}
    reply: It is sunny.
  - exact: costs
    thinking: Hm.
    reply: Done.
    usage: {prompt_tokens: 100, completion_tokens: 50, cached_tokens: 60, cache_write_tokens: 10, reasoning_tokens: 20}
  - exact: refuse
    reply: I will not.
    finish: refusal
  - exact: filter
    reply: I wou
    finish: content_filter
"""
_WRITING = os.environ.get("MATRIX_WRITE") == "1"
CALLERS = {"chat": Chat, "responses": Responses, "messages": Messages, "generate": Generate, "converse": Converse}


def _make_providers(url: str) -> dict[str, dict[str, Any]]:
    return {
        "chat": {"kind": "openai-compatible", "base_url": url + "/v1"},
        "responses": {"kind": "responses-compatible", "base_url": url + "/v1"},
        "messages": {"kind": "anthropic", "base_url": url, "api_key": "k"},
        "generate": {"kind": "gemini", "base_url": url + "/v1beta", "api_key": "k"},
        "converse": {"kind": "bedrock", "base_url": url, "api_key": "k", "region": "us-east-1"},
    }


class Matrix:
    """A simulated provider of every wire, a gateway, and a client of every wire."""

    def __init__(self, folder: Path) -> None:
        script = folder / "script.yaml"
        script.write_text(SCRIPT, encoding="utf-8")
        self.sim = Sim("--script", str(script), "--record", "--seed", "1")
        self.native = NativeProvider()
        providers = _make_providers(self.sim.url)
        hasty = {"timeouts": {"first_output": 1, "idle": 1}}
        providers |= {f"hasty-{wire}": provider | hasty for wire, provider in providers.items()}
        providers |= {f"native-{wire}": provider for wire, provider in _make_providers(self.native.url).items()}
        try:
            self.gateway = Gateway(folder, {"providers": providers})
        except BaseException:
            self.native.close()
            self.sim.stop()
            raise
        self.callers: dict[str, Any] = {
            wire: caller(self.gateway.url, self.gateway.key) for wire, caller in CALLERS.items()
        }

    def close(self) -> None:
        for caller in self.callers.values():
            caller.close()
        self.gateway.stop()
        self.native.close()
        self.sim.stop()

    def take_requests(self) -> list[dict[str, Any]]:
        """Return the requests that the provider has received since the last call."""
        entries = self.sim.list_served()
        self.sim.clear()
        for entry in entries:
            entry["body"] = base64.b64decode(entry["body"])
            entry["answer"] = base64.b64decode(entry["answer"])
        return entries


@pytest.fixture(scope="session")
def matrix(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Matrix]:
    matrix = Matrix(tmp_path_factory.mktemp("matrix"))
    yield matrix
    matrix.close()


@pytest.fixture(params=WIRES)
def caller_wire(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=WIRES)
def target_wire(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=["whole", "stream"])
def stream(request: pytest.FixtureRequest) -> bool:
    return bool(request.param == "stream")


class ProvenCells:
    """Compares each cell with ``proven.json``, from which the documentation is generated."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        self._found: dict[str, dict[str, dict[str, str]]] = {}

    def __call__(self, title: str, caller_wire: str, target_wire: str, outcome: str) -> None:
        """Record a cell; fail if its other half (whole or streamed) or the file has another outcome."""
        row = self._found.setdefault(title, {}).setdefault(caller_wire, {})
        assert row.setdefault(target_wire, outcome) == outcome, "whole and streamed differ"
        if not _WRITING:
            known = self._known.get(title, {}).get(caller_wire, {}).get(target_wire)
            assert outcome == known, f"proven.json says {known!r}; MATRIX_WRITE=1 writes what the tests find"

    def write(self) -> None:
        """Write the outcomes."""
        text = json.dumps(self._known | self._found, indent=1, ensure_ascii=False, sort_keys=False)
        self._path.write_text(text + "\n", encoding="utf-8")


@pytest.fixture(scope="session")
def proven() -> Iterator[ProvenCells]:
    proven = ProvenCells(Path(__file__).parent / "proven.json")
    yield proven
    if _WRITING:
        proven.write()
