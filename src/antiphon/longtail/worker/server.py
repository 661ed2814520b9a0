"""The worker's HTTP side."""

import hmac
import json
import os
from contextlib import suppress
from typing import Any

from .answers import described, document, encode, frames, hidden
from .calls import OPERATIONS, TEXTS, Call, Operation, Refused
from .logs import log

SECRET_HEADER = "x-longtail-secret"  # noqa: S105 (its name, not its value)
HEAD_LIMIT = 256 * 1024
"""Bytes of a header: parameters may hold a whole service account."""
BODY_LIMIT = 2 * 1024**3
"""The gateway holds callers to its own limit, which is at most this."""
PIECE = 64 * 1024


class Server:
    """The HTTP side: aiohttp's, on one socket file."""

    def __init__(self, socket: str, secret: str, litellm: Any) -> None:
        from aiohttp import web

        self._web = web
        self._litellm = litellm
        self._secret = secret
        self._socket = socket

    async def run(self) -> None:
        """Serve until the process ends."""
        web = self._web
        application = web.Application(client_max_size=BODY_LIMIT)
        application.router.add_get("/health", self.health)
        for path, operation in OPERATIONS.items():
            application.router.add_post(path, self.handler(operation))
        # A caller who leaves ends the provider's call too, hence the cancellation.
        runner = web.AppRunner(
            application,
            access_log=None,
            handle_signals=False,
            handler_cancellation=True,
            max_field_size=HEAD_LIMIT,
            max_line_size=HEAD_LIMIT,
        )
        await runner.setup()
        with suppress(FileNotFoundError):
            os.unlink(self._socket)  # noqa: PTH108
        await web.UnixSite(runner, self._socket, backlog=2048).start()

    def trusted(self, request: Any) -> bool:
        given = request.headers.get(SECRET_HEADER, "").encode("utf-8", "replace")
        return hmac.compare_digest(given, self._secret.encode())

    async def health(self, request: Any) -> Any:
        return self._web.Response(status=200 if self.trusted(request) else 401)

    def handler(self, operation: Operation) -> Any:
        async def handle(request: Any) -> Any:
            call = None
            try:
                if not self.trusted(request):
                    raise Refused(401, "The secret is missing or another one.")
                body = form(await request.post()) if operation.form else json.loads(await request.read())
                call = Call(operation, request.headers, body)
                answer = await getattr(self._litellm, operation.function)(**call.arguments)
                if call.stream and hasattr(answer, "__anext__"):
                    return await self.streamed(request, call, answer)
                if operation.form and call.arguments.get("response_format") in TEXTS:
                    return self._web.Response(text=answer.text, content_type="text/plain", headers=hidden(answer))
                if hasattr(answer, "model_dump") or isinstance(answer, dict):
                    return self._web.Response(
                        body=encode(document(answer)), content_type="application/json", headers=hidden(answer)
                    )
                return await self.binary(request, answer)
            except Exception as error:  # noqa: BLE001 (whatever a provider's code raises is an answer)
                status, headers, body = described(error, call)
                log.info("%s answered with %s (%s)", operation.function, status, type(error).__name__)
                return self._web.Response(
                    status=status, headers=headers, body=encode(body), content_type="application/json"
                )

        return handle

    async def streamed(self, request: Any, call: Call, answer: Any) -> Any:
        """Write chunks as they come. The status waits for the first, so that an early error still has its own."""
        try:
            first = await anext(answer, None)
            headers = {"content-type": "text/event-stream; charset=utf-8", **hidden(answer)}
            response = self._web.StreamResponse(headers=headers)
            await response.prepare(request)
            async for frame in frames(call, first, answer):
                await response.write(frame)
            await response.write_eof()
        finally:
            await close(answer)
        return response

    async def binary(self, request: Any, answer: Any) -> Any:
        """Write a body that is not JSON, such as speech, as it comes."""
        inner = answer.response
        response = self._web.StreamResponse(
            headers={"content-type": inner.headers.get("content-type", "application/octet-stream")}
        )
        await response.prepare(request)
        try:
            async for piece in await answer.aiter_bytes(PIECE):
                await response.write(piece)
            await response.write_eof()
        finally:
            await inner.aclose()
        return response


def form(fields: Any) -> dict[str, Any]:
    """Return a form's fields as LiteLLM takes them: a file, which stands on disk, with its name and type."""
    found: dict[str, Any] = {}
    for name, value in fields.items():
        if name.endswith("[]"):
            found.setdefault(name[:-2], []).append(value)
        else:
            found[name] = value if isinstance(value, str) else (value.filename, value.file, value.content_type)
    if not isinstance(found.get("file"), tuple):
        raise Refused(400, "The form has no `file`.")
    try:
        found |= {"temperature": float(found["temperature"])} if "temperature" in found else {}
    except (TypeError, ValueError):
        raise Refused(400, "`temperature` must be a number.") from None
    if found.pop("stream", "false") != "false":
        raise Refused(400, "LiteLLM transcribes in one piece; leave out `stream`.")
    return found


async def close(answer: Any) -> None:
    """Let go of a provider's stream."""
    end = getattr(answer, "aclose", None)
    if end is not None:
        with suppress(Exception):
            await end()
