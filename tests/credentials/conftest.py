"""A gateway in this process, a clock that tests set forward, and an environment without any credential."""

import json
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from antiphon.config import load_config
from antiphon.credentials import cache
from antiphon.runtime import Runtime
from antiphon.types import Caller
from credentials.servers import Answer, FakeServer, GoogleAccounts


class Clock:
    """The clock by which credentials expire; ``ahead`` is in seconds."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.ahead


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(cache, "monotonic", clock)
    return clock


@pytest.fixture(autouse=True)
def _logged_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove every login, and every identity that a machine could lend."""
    for name in os.environ:
        if name.startswith(("AWS_", "GOOGLE_", "AZURE_", "GCE_", "CLOUDSDK_", "IDENTITY_", "MSI_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path / "gcloud"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def serve() -> Iterator[Callable[..., FakeServer]]:
    """Start fake servers; they are stopped at the end."""
    running: list[FakeServer] = []

    def start(answer: Answer, context: Any = None) -> FakeServer:
        running.append(FakeServer(answer, context))
        return running[-1]

    yield start
    for server in running:
        server.stop()


@pytest.fixture
def accounts() -> Iterator[GoogleAccounts]:
    accounts = GoogleAccounts()
    yield accounts
    accounts.may_answer.set()
    accounts.server.stop()


class LocalGateway:
    """A gateway in this process, with a configuration file."""

    def __init__(self, folder: Path, config: Any) -> None:
        file = folder / "antiphon.yaml"
        file.write_text(json.dumps(config))
        self.catalog = load_config(str(file))
        self.runtime = Runtime(self.catalog)

    async def ask(self, model: str, text: str = "Hello") -> str:
        """Return the text of the answer to ``text``."""
        body = {"model": model, "messages": [{"role": "user", "content": text}], "max_tokens": 9}
        answer = await self.runtime.ask("chat", json.dumps(body).encode(), Caller("key"))
        content: str = json.loads(answer.body)["choices"][0]["message"]["content"]
        return content


@pytest.fixture
async def make_gateway(tmp_path: Path) -> AsyncIterator[Callable[..., LocalGateway]]:
    """Make gateways with ``providers`` and ``models``; they are closed at the end."""
    gateways: list[LocalGateway] = []

    def make(providers: Any, models: Any = None) -> LocalGateway:
        gateways.append(LocalGateway(tmp_path, {"version": 1, "providers": providers, "models": models or {}}))
        return gateways[-1]

    yield make
    for gateway in gateways:
        await gateway.runtime.close()
