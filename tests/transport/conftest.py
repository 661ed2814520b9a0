"""Every asynchronous test of this room runs on both loops."""

import asyncio
import datetime
import ssl
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import trustme
import uvloop

from antiphon.transport.http import HttpTransport
from antiphon.transport.interface import Request
from antiphon.transport.request_head import build_head
from antiphon.transport.response import HttpResponse
from antiphon.types import Origin


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


class Client:
    """A transport with short ways to send a request."""

    def __init__(self, **options: Any) -> None:
        self.transport = HttpTransport(**{"environ": {}, **options})

    async def send(self, origin: Origin, body: bytes = b"{}", timeout: float = 5.0) -> HttpResponse:
        head = build_head("POST", "/v1/chat/completions", [("content-type", "application/json")], origin)
        return await self.transport.send(Request(origin, head, body, origin), timeout)

    async def ask(self, origin: Origin, body: bytes = b"{}", cap: int = 1 << 30) -> bytes:
        response = await self.send(origin, body)
        try:
            return await response.read(cap)
        finally:
            response.close()


@pytest.fixture(autouse=True)
def nothing_goes_unhandled(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Fail a test if the loop logs an unhandled exception of a callback or a task."""
    yield
    logged = [record.getMessage() for record in caplog.get_records("call") if record.name == "asyncio"]
    assert not [message for message in logged if not message.startswith("Using selector")]


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    client = Client()
    yield client
    await client.transport.close()


@pytest.fixture
async def make_client() -> AsyncIterator[Callable[..., Client]]:
    made: list[Client] = []

    def make(**options: Any) -> Client:
        made.append(Client(**options))
        return made[-1]

    yield make
    for client in made:
        await client.transport.close()


class Authority:
    """A private certificate authority, a good server context, and bad ones by the fault of their certificate."""

    def __init__(self, directory: Path) -> None:
        self._ca = trustme.CA()
        self.file = str(directory / "ca.pem")
        self._ca.cert_pem.write_to_path(self.file)
        old = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
        self.good = self._make_context(self._ca.issue_cert("127.0.0.1", "localhost", "provider.test"))
        self.bad = {
            "expired": self._make_context(
                self._ca.issue_cert("127.0.0.1", not_before=old, not_after=old.replace(year=2021))
            ),
            "wrong host": self._make_context(self._ca.issue_cert("other.test")),
            "self-signed": self._make_context(trustme.CA().issue_cert("127.0.0.1")),
        }

    def _make_context(self, certificate: trustme.LeafCert) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(context)
        return context


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))
