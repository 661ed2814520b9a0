"""Calls to a server: our own transport, one attempt, errors and call information read from the server's answer."""

import asyncio
from typing import Any
from urllib.parse import urlsplit

from antiphon.client.call_info import CallInfo, read_call_info
from antiphon.client.error_reader import read_error_answer
from antiphon.client.reply import decode_object
from antiphon.errors import BadAnswer, UpstreamTimeout
from antiphon.transport.http import HttpTransport
from antiphon.transport.interface import Headers, Request, Response
from antiphon.transport.request_head import build_head
from antiphon.types import Origin, Secret, Timeouts

BODY_LIMIT = 256 * 1024 * 1024
"""The largest whole answer in bytes that is read."""

_CONNECT_TIMEOUT = Timeouts().connect
_PORTS = {"http": 80, "https": 443}
_ROUTES = {
    "chat": ("POST", "/chat/completions"),
    "embeddings": ("POST", "/embeddings"),
    "models": ("GET", "/models"),
}


def parse_base_url(base_url: str) -> tuple[Origin, str]:
    """Return origin and path prefix (``/v1`` if the URL has no path); raises ``ValueError`` for an unusable URL."""
    try:
        url = urlsplit(base_url)
        port = url.port
    except ValueError as error:
        raise ValueError(f"base_url {base_url!r} is not a URL: {error}") from None
    if url.scheme not in _PORTS or not url.hostname:
        raise ValueError(f"base_url must be like http://127.0.0.1:7777 or https://host/v1, not {base_url!r}")
    if url.username is not None or url.query or url.fragment:
        raise ValueError("base_url holds credentials, a query or a fragment; pass the key as api_key, drop the others")
    return Origin(url.scheme, url.hostname, port or _PORTS[url.scheme]), url.path.rstrip("/") or "/v1"


class RemoteStream:
    """The body of a streamed answer; ``timeout`` is seconds of silence."""

    def __init__(self, response: Response, info: CallInfo, timeout: float) -> None:
        self.info = info
        self._response = response
        self._timeout = timeout

    async def read(self) -> bytes:
        try:
            async with asyncio.timeout(self._timeout):
                return await self._response.read_chunk() or b""
        except TimeoutError:
            raise UpstreamTimeout(
                f"The server sent nothing for {self._timeout:g} s; the answer is incomplete.", phase="idle"
            ) from None

    def close(self) -> None:
        self._response.close()


class RemoteBackend:
    """A server at ``base_url``. ``timeout`` is seconds for a whole answer, and of silence within a stream."""

    def __init__(self, base_url: str, api_key: str | None, timeout: float) -> None:
        self._origin, prefix = parse_base_url(base_url)
        self._timeout = timeout
        key = Secret(api_key) if api_key else None
        self._heads = {name: self._make_head(method, prefix + path, key) for name, (method, path) in _ROUTES.items()}
        self._transport: HttpTransport | None = None

    def _make_head(self, method: str, path: str, key: Secret | None) -> bytes:
        headers = [("content-type", "application/json"), ("user-agent", "antiphon"), ("accept-encoding", "identity")]
        if key is not None:
            headers.append(("authorization", f"Bearer {key.reveal()}"))
        return build_head(method, path, headers, self._origin)

    async def start(self) -> None:
        self._transport = HttpTransport()

    async def close(self) -> None:
        if self._transport is not None:
            await self._transport.close()

    async def ask(self, operation: str, body: bytes) -> tuple[bytes, Headers]:
        try:
            async with asyncio.timeout(self._timeout):
                response = await self._send(operation, body)
                try:
                    return await response.read(BODY_LIMIT), response.headers
                finally:
                    response.close()
        except TimeoutError:
            raise self._make_timeout() from None

    async def start_stream(self, operation: str, body: bytes) -> RemoteStream:
        try:
            async with asyncio.timeout(self._timeout):
                response = await self._send(operation, body)
        except TimeoutError:
            raise self._make_timeout() from None
        return RemoteStream(response, read_call_info(response.headers), self._timeout)

    async def list_models(self) -> list[dict[str, Any]]:
        raw, _ = await self.ask("models", b"")
        data = decode_object(raw).get("data")
        if type(data) is not list:
            raise BadAnswer(f"The list of models at {self._origin} has no 'data'; is base_url an OpenAI-wire API?")
        return [entry for entry in data if type(entry) is dict]

    async def _send(self, operation: str, body: bytes) -> Response:
        """Return an answer of status 2xx; raises the error that any other status stands for."""
        transport = self._transport
        if transport is None:
            raise RuntimeError("the client has not been started")
        request = Request(self._origin, self._heads[operation], body, bound_to=self._origin)
        response = await transport.send(request, _CONNECT_TIMEOUT)
        if 200 <= response.status < 300:
            return response
        try:
            raise read_error_answer(response.status, response.headers, await response.read(BODY_LIMIT))
        finally:
            response.close()

    def _make_timeout(self) -> UpstreamTimeout:
        return UpstreamTimeout(f"{self._origin} did not answer within {self._timeout:g} s.", phase="total")
