"""Answers before the server is ready and while it stops: the application over a real runtime, in process."""

import asyncio
import http.client
import json

from antiphon.config import load_config
from antiphon.runtime import Runtime
from antiphon.server.app import Gateway
from antiphon.server.http.connection import HttpServer
from antiphon.server.http.listener import Listener, listen
from antiphon.server.phase import Phase
from processes import PATIENCE


def _ask(port: int, method: str, path: str, token: str | None = None) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request(method, path, b"{}", {"Authorization": f"Bearer {token}"} if token else {})
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


async def _run_served(check) -> None:
    runtime = Runtime(load_config(environ={}, probes={}), data=None)
    await runtime.start()
    gateway = Gateway(runtime)
    listener = Listener(HttpServer(gateway), listen("127.0.0.1", 0))
    await listener.start()
    try:
        await check(gateway, listener.port)
    finally:
        await listener.stop(0.0)
        await runtime.close()


async def test_readiness_follows_the_phase():
    async def check(gateway, port):
        for phase, expected in ((Phase.STARTING, 503), (Phase.READY, 200), (Phase.DRAINING, 503)):
            gateway.phase = phase
            status, _, body = await asyncio.to_thread(_ask, port, "GET", "/health/ready")
            assert (status, json.loads(body)["status"]) == (expected, phase.value)
            status, _, _ = await asyncio.to_thread(_ask, port, "GET", "/health/live")
            assert status == 200

    await _run_served(check)


async def test_calls_before_the_start_are_asked_to_wait():
    async def check(gateway, port):
        status, headers, body = await asyncio.to_thread(_ask, port, "POST", "/v1/chat/completions", "any")
        assert (status, headers["retry-after"]) == (503, "1")
        assert json.loads(body)["error"]["code"] == "unavailable"

    await _run_served(check)


async def test_without_a_data_directory_no_key_is_known():
    async def check(gateway, port):
        gateway.phase = Phase.READY
        status, _, _ = await asyncio.to_thread(_ask, port, "POST", "/v1/chat/completions", "any")
        assert status == 401

    await _run_served(check)
