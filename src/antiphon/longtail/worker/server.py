"""The worker's HTTP server."""

import hmac
import json
import os
from contextlib import suppress
from typing import Any

from .answers import describe_error, encode, get_provider_headers, make_document, write_frames
from .calls import OPERATIONS, TEXT_FORMATS, Call, Operation, RejectedCall
from .log_filter import log

SECRET_HEADER = "x-longtail-secret"  # noqa: S105 (its name, not its value)
HEAD_LIMIT = 256 * 1024
"""Bytes of a header; parameters may hold a whole service account."""
BODY_LIMIT = 2 * 1024**3
"""Bytes; the gateway's own limit for callers is at most this."""
PIECE_SIZE = 64 * 1024


class Server:
    """The HTTP server, aiohttp's, on one socket file."""

    def __init__(self, socket: str, secret: str, litellm: Any) -> None:
        from aiohttp import web

        self._web = web
        self._litellm = litellm
        self._secret = secret
        self._socket = socket

    async def start(self) -> None:
        """Listen on the socket."""
        web = self._web
        application = web.Application(client_max_size=BODY_LIMIT)
        application.router.add_get("/health", self.answer_health)
        for path, operation in OPERATIONS.items():
            application.router.add_post(path, self.make_handler(operation))
        # The cancellation ends the provider's call when a caller leaves.
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

    def is_trusted(self, request: Any) -> bool:
        secret = request.headers.get(SECRET_HEADER, "").encode("utf-8", "replace")
        return hmac.compare_digest(secret, self._secret.encode())

    async def answer_health(self, request: Any) -> Any:
        return self._web.Response(status=200 if self.is_trusted(request) else 401)

    def make_handler(self, operation: Operation) -> Any:
        async def handle(request: Any) -> Any:
            call = None
            try:
                if not self.is_trusted(request):
                    raise RejectedCall(401, "The secret is missing or another one.")
                body = read_form(await request.post()) if operation.form else json.loads(await request.read())
                call = Call(operation, request.headers, body)
                answer = await getattr(self._litellm, operation.function)(**call.arguments)
                if call.stream and hasattr(answer, "__anext__"):
                    return await self.write_stream(request, call, answer)
                if operation.form and call.arguments.get("response_format") in TEXT_FORMATS:
                    return self._web.Response(
                        text=answer.text, content_type="text/plain", headers=get_provider_headers(answer)
                    )
                if hasattr(answer, "model_dump") or isinstance(answer, dict):
                    return self._web.Response(
                        body=encode(make_document(answer)),
                        content_type="application/json",
                        headers=get_provider_headers(answer),
                    )
                return await self.write_binary(request, answer)
            except Exception as error:  # noqa: BLE001 (whatever a provider's code raises is an answer)
                status, headers, body = describe_error(error, call)
                log.info("%s answered with %s (%s)", operation.function, status, type(error).__name__)
                return self._web.Response(
                    status=status, headers=headers, body=encode(body), content_type="application/json"
                )

        return handle

    async def write_stream(self, request: Any, call: Call, answer: Any) -> Any:
        """Write chunks as they come. The status waits for the first chunk, so that an early error can have its own."""
        try:
            first = await anext(answer, None)
            headers = {"content-type": "text/event-stream; charset=utf-8", **get_provider_headers(answer)}
            response = self._web.StreamResponse(headers=headers)
            await response.prepare(request)
            async for frame in write_frames(call, first, answer):
                await response.write(frame)
            await response.write_eof()
        finally:
            await close_stream(answer)
        return response

    async def write_binary(self, request: Any, answer: Any) -> Any:
        """Write a body that is not JSON, such as speech, as it comes."""
        inner = answer.response
        response = self._web.StreamResponse(
            headers={"content-type": inner.headers.get("content-type", "application/octet-stream")}
        )
        await response.prepare(request)
        try:
            async for piece in await answer.aiter_bytes(PIECE_SIZE):
                await response.write(piece)
            await response.write_eof()
        finally:
            await inner.aclose()
        return response


def read_form(fields: Any) -> dict[str, Any]:
    """Return a form's fields as LiteLLM takes them; the file is on disk and goes with its name and type."""
    found: dict[str, Any] = {}
    for name, value in fields.items():
        if name.endswith("[]"):
            found.setdefault(name[:-2], []).append(value)
        else:
            found[name] = value if isinstance(value, str) else (value.filename, value.file, value.content_type)
    if not isinstance(found.get("file"), tuple):
        raise RejectedCall(400, "The form has no `file`.")
    try:
        found |= {"temperature": float(found["temperature"])} if "temperature" in found else {}
    except (TypeError, ValueError):
        raise RejectedCall(400, "`temperature` must be a number.") from None
    if found.pop("stream", "false") != "false":
        raise RejectedCall(400, "LiteLLM transcribes in one piece; leave out `stream`.")
    return found


async def close_stream(answer: Any) -> None:
    """Close a provider's stream."""
    close = getattr(answer, "aclose", None)
    if close is not None:
        with suppress(Exception):
            await close()
