"""The handlers of health checks, metrics and the root page."""

import msgspec

from antiphon import __version__
from antiphon.engine.admission import must_refuse_calls
from antiphon.server.errors import Headers
from antiphon.server.phase import Phase
from antiphon.server.request import Request

_JSON: Headers = [(b"content-type", b"application/json")]
_TEXT: Headers = [(b"content-type", b"text/plain; charset=utf-8")]
_PROMETHEUS: Headers = [(b"content-type", b"text/plain; version=1.0.0; charset=utf-8")]


async def show_live(request: Request) -> None:
    """GET /health/live."""
    await request.answer(200, _JSON, msgspec.json.encode({"status": "live", "version": __version__}))


async def show_ready(request: Request) -> None:
    """GET /health/ready: 503 while starting or draining, and while calls are refused because records cannot be kept."""
    gateway = request.gateway
    recording = not must_refuse_calls(gateway.runtime.services)
    ready = gateway.phase is Phase.READY and recording
    detail = {"status": gateway.phase.value, "records": "kept" if recording else "refused"}
    detail |= gateway.runtime.read_health()
    await request.answer(200 if ready else 503, _JSON, msgspec.json.encode(detail))


async def show_metrics(request: Request) -> None:
    """GET /metrics, in Prometheus' text format."""
    await request.answer(200, _PROMETHEUS, request.gateway.runtime.services.telemetry.render())


async def show_root(request: Request) -> None:
    """GET /: a description for somebody who opens the address in a browser."""
    text = f"Antiphon {__version__}: an OpenAI-compatible gateway. Use this address with /v1 as base_url.\n"
    await request.answer(200, _TEXT, text.encode())
