"""A gateway in this process, a clock that can be put forward, and an environment without any credential."""

import json
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from antiphon.config import load_config
from antiphon.credentials import keeper
from antiphon.engine.call import Call
from antiphon.runtime import Runtime
from antiphon.types import Caller
from credentials.far import Accounts, Answer, Far


class Clock:
    """The clock by which credentials end."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.ahead


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(keeper, "monotonic", made)
    return made


@pytest.fixture(autouse=True)
def _nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is logged in, and no machine lends anything."""
    for name in os.environ:
        if name.startswith(("AWS_", "GOOGLE_", "AZURE_", "GCE_", "CLOUDSDK_", "IDENTITY_", "MSI_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path / "gcloud"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def serve() -> Iterator[Callable[..., Far]]:
    """Start a fake; it is stopped at the end."""
    running: list[Far] = []

    def start(answer: Answer, context: Any = None) -> Far:
        running.append(Far(answer, context))
        return running[-1]

    yield start
    for far in running:
        far.stop()


@pytest.fixture
def accounts() -> Iterator[Accounts]:
    made = Accounts()
    yield made
    made.hold.set()
    made.far.stop()


class House:
    """Calls through a gateway of a configuration."""

    def __init__(self, folder: Path, config: Any) -> None:
        file = folder / "antiphon.yaml"
        file.write_text(json.dumps(config))
        self.catalog = load_config(str(file))
        self.runtime = Runtime(self.catalog)

    async def ask(self, model: str, text: str = "Hello") -> str:
        """Return the text of an answer."""
        body = {"model": model, "messages": [{"role": "user", "content": text}], "max_tokens": 9}
        answer = await self.runtime.ask(Call("chat", json.dumps(body).encode(), Caller("key")))
        found: str = json.loads(answer.body)["choices"][0]["message"]["content"]
        return found


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[Callable[..., House]]:
    """Make a gateway of ``providers`` and ``models``."""
    made: list[House] = []

    def make(providers: Any, models: Any = None) -> House:
        made.append(House(tmp_path, {"version": 1, "providers": providers, "models": models or {}}))
        return made[-1]

    yield make
    for each in made:
        await each.runtime.close()
