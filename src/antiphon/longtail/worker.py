"""LiteLLM behind a Unix socket, speaking the OpenAI wire. Run by the Python of LiteLLM's own environment, not by ours.

Nothing of Antiphon is imported here: the standard library, LiteLLM, and aiohttp, which LiteLLM brings. What it must
know (socket, secret, authorities) comes as one line of JSON on standard input, because arguments and environments can
be read by others; the end of standard input is the end of the process that started it, and of this one. ``ready`` on
standard output says that calls may come.

A call names its model and parameters in one header and its key in another. Fields of its body never reach LiteLLM's own
parameters: a caller who could set ``api_base`` could send a stored key to a host of theirs.
"""

import asyncio
import base64
import binascii
import ctypes
import gc
import hmac
import json
import logging
import os
import re
import signal
import sys
import threading
import time
import warnings
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

SECRET_HEADER = "x-longtail-secret"  # noqa: S105 (its name, not its value)
CALL_HEADER = "x-longtail-call"
HEAD_LIMIT = 256 * 1024
"""Bytes of a header: parameters may hold a whole service account."""
BODY_LIMIT = 2 * 1024**3
"""The gateway holds callers to its own limit, which is at most this."""
MESSAGE_LIMIT = 8192
PIECE = 64 * 1024

# Read by LiteLLM while it is imported: no download of prices or lists, no `.env` of whatever directory, no telemetry,
# no fetching of what a caller's message points to.
QUIET = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS": "True",
    "LITELLM_LOCAL_BLOG_POSTS": "True",
    "LITELLM_MODE": "PRODUCTION",
    "LITELLM_TELEMETRY": "False",
    "LITELLM_LOG": "CRITICAL",
    "MAX_IMAGE_URL_DOWNLOAD_SIZE_MB": "0",
    "HF_HUB_OFFLINE": "1",
    "DO_NOT_TRACK": "1",
}
SETTINGS: dict[str, Any] = {
    "telemetry": False,
    "suppress_debug_info": True,
    "set_verbose": False,
    "drop_params": False,
    "modify_params": False,
    "num_retries": 0,
    "num_retries_per_request": 0,
    "redact_messages_in_exceptions": True,
    "disable_hf_tokenizer_download": True,
    # Where a provider counts nothing, the gateway counts, and marks it; counting may also fetch a caller's images.
    "disable_token_counter": True,
    "cache": None,
    "callbacks": [],
    "success_callback": [],
    "failure_callback": [],
}
FORCED = {"num_retries": 0, "max_retries": 0, "no-log": True}
"""Parameters of every call, whatever the configuration says."""

_SAMPLING = (
    "frequency_penalty presence_penalty temperature top_p top_k seed stop n logit_bias user stream stream_options"
)
_CHAT = (
    "messages max_tokens max_completion_tokens logprobs top_logprobs tools tool_choice parallel_tool_calls functions"
    " function_call response_format reasoning_effort thinking modalities audio prediction service_tier"
    " web_search_options verbosity safety_identifier prompt_cache_key"
)
_TEXT = "prompt best_of echo logprobs max_tokens suffix"


class Operation(NamedTuple):
    """LiteLLM's function for a path, and the body's fields it takes; others go into the provider's body as they are."""

    function: str
    fields: frozenset[str]
    forced: dict[str, Any] = FORCED


def _operation(function: str, fields: str, **forced: Any) -> Operation:
    return Operation(function, frozenset(fields.split()), FORCED | forced)


OPERATIONS = {
    # A tool of type `mcp` in a caller's body is the provider's to run, never LiteLLM's.
    "/v1/chat/completions": _operation("acompletion", f"{_CHAT} {_SAMPLING}", _skip_mcp_handler=True),
    "/v1/completions": _operation("atext_completion", f"{_TEXT} {_SAMPLING}"),
    "/v1/embeddings": _operation("aembedding", "input dimensions encoding_format user"),
    "/v1/rerank": _operation(
        "arerank", "query documents top_n rank_fields return_documents max_chunks_per_doc max_tokens_per_doc"
    ),
    "/v1/moderations": _operation("amoderation", "input"),
    "/v1/images/generations": _operation("aimage_generation", "prompt n quality response_format size style user"),
    "/v1/audio/speech": _operation("aspeech", "input voice response_format speed instructions"),
}
OWN_FIELDS = frozenset(("model",))
"""What stands in a body for the gateway only."""

STATUSES = {"APIConnectionError": 502, "Timeout": 504}
"""LiteLLM's errors without a status of the provider's."""
KINDS = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "invalid_request_error",
    422: "invalid_request_error",
    429: "rate_limit_error",
    503: "service_unavailable_error",
    504: "timeout_error",
}
COUNTS = ("prompt_tokens", "completion_tokens", "total_tokens", "input_tokens", "output_tokens")
OWN_WORDS = re.compile(r"^(litellm\.)?\w+(Error|Exception): (\w+Error: )*")
"""What LiteLLM puts before a provider's message: class names, which are the error's ``code`` already."""
PASSING = ("x-request-id", "retry-after")
PASSING_PREFIXES = ("x-ratelimit-",)
PROVIDER_PREFIX = "llm_provider-"

log = logging.getLogger("longtail")


class Config(NamedTuple):
    """What the gateway tells at the start."""

    socket: str
    secret: str
    ca_file: str | None


class Refused(Exception):
    """A call that LiteLLM is not asked."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status_code = status
        self.message = message


# -- the process ----------------------------------------------------------------------------------------------------


class Terse(logging.Formatter):
    """Says where and what class of thing happened, never its text: that may hold a prompt or a key."""

    def format(self, record: logging.LogRecord) -> str:
        when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created))
        what = record.getMessage() if record.name == log.name else f"{record.filename}:{record.lineno}"
        error = record.exc_info and record.exc_info[0]
        return f"{when} {record.levelname} {record.name} {what}" + (f" {error.__name__}" if error else "")


def hush(stream: Any) -> None:
    """Log to ``stream``, and let nothing else be written: libraries print what they were asked."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(Terse())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    log.setLevel(logging.INFO)
    warnings.simplefilter("ignore")
    sys.stdout = sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 (for as long as the process)
    sys.excepthook = lambda kind, error, trace: log.critical("ended by %s at %s", kind.__name__, _place(trace))
    threading.excepthook = lambda args: log.error("a thread was ended by %s", args.exc_type.__name__)


def _place(trace: Any) -> str:
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "nowhere" if trace is None else f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"


def end_with_parent(stdin: Any) -> None:
    """End when the process that started this one does, however it ends."""
    if sys.platform == "linux":
        # Beside the thread: it cannot run while an extension holds the interpreter.
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG

    def wait() -> None:
        with suppress(OSError):
            while stdin.read(1):
                pass
        os._exit(0)

    threading.Thread(target=wait, name="parent", daemon=True).start()


def load(config: Config) -> Any:
    """Return LiteLLM, imported and set."""
    import litellm

    for name, value in SETTINGS.items():
        setattr(litellm, name, value)
    for name in ("LiteLLM", "LiteLLM Proxy", "LiteLLM Router", "httpx", "botocore"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
        logging.getLogger(name).handlers.clear()
    unwrap_extra_body(litellm)
    if config.ca_file is not None:
        litellm.ssl_verify = trust(config)
    for operation in OPERATIONS.values():
        getattr(litellm, operation.function)  # found lazily; the first call should not pay for it
    return litellm


def unwrap_extra_body(litellm: Any) -> None:
    """Have a body's further fields stand in the provider's body here too, where LiteLLM would send their wrapping.

    Only where what is changed is the body itself, and last: anywhere earlier a caller's field could steer the call.
    """
    messages, converse = litellm.AnthropicConfig, litellm.AmazonConverseConfig
    transform, prepare = messages.transform_request, converse._prepare_request_params

    def transformed(self: Any, *args: Any, **more: Any) -> dict[str, Any]:
        body = transform(self, *args, **more)
        extra = body.pop("extra_body", None) or {}
        return {**body, **extra}

    def prepared(self: Any, optional_params: dict[str, Any], *args: Any, **more: Any) -> Any:
        extra = optional_params.pop("extra_body", None) or {}
        inference, additional, *rest = prepare(self, optional_params, *args, **more)
        return inference, {**additional, **extra}, *rest

    messages.transform_request, converse._prepare_request_params = transformed, prepared


def trust(config: Config) -> str:
    """Return a file of authorities: the usual ones and the configuration's own."""
    import certifi

    bundle = Path(config.socket).with_suffix(".pem")
    own = Path(config.ca_file or "").read_bytes()
    bundle.write_bytes(Path(certifi.where()).read_bytes() + b"\n" + own)
    os.environ["SSL_CERT_FILE"] = os.environ["AWS_CA_BUNDLE"] = os.environ["REQUESTS_CA_BUNDLE"] = str(bundle)
    return str(bundle)


# -- a call ---------------------------------------------------------------------------------------------------------


class Call:
    """One call: the function's arguments, and what must not be shown of them."""

    def __init__(self, operation: Operation, headers: Any, body: dict[str, Any]) -> None:
        try:
            told = json.loads(base64.b64decode(headers[CALL_HEADER], validate=True))
            model, params = told["model"], told["params"]
        except (KeyError, ValueError, TypeError, binascii.Error):
            raise Refused(400, f"The header {CALL_HEADER} is missing or not what the gateway writes.") from None
        self.key = headers.get("authorization", "").removeprefix("Bearer ")
        self.stream = body.get("stream") is True
        self.params = params
        fields = {name: value for name, value in body.items() if name in operation.fields and value is not None}
        other = {name: value for name, value in body.items() if name not in operation.fields | OWN_FIELDS}
        self.arguments: dict[str, Any] = {**params, **fields, **operation.forced, "model": model}
        if self.key:
            self.arguments["api_key"] = self.key
        if other:
            self.arguments["extra_body"] = {**params.get("extra_body", {}), **other}

    def clean(self, text: str) -> str:
        """Return a message without LiteLLM's traceback and without any credential of this call."""
        text = OWN_WORDS.sub("", text.partition("\nTraceback (most recent call last)")[0]).strip()
        for secret in sorted(secrets(self.params) | {self.key}, key=len, reverse=True):
            if len(secret) >= 8:
                text = text.replace(secret, "…")
        return text[:MESSAGE_LIMIT]


def secrets(value: Any) -> set[str]:
    """Return every text within a parameter."""
    if isinstance(value, str):
        return {value}
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return set().union(*map(secrets, inner))


def described(error: Exception, call: Call | None) -> tuple[int, dict[str, str], dict[str, Any]]:
    """Return status, headers and OpenAI's error object for what LiteLLM raised."""
    name = type(error).__name__
    response = getattr(error, "response", None)
    status = STATUSES.get(name) or provider_status(error) or 500
    text = str(getattr(error, "message", "") or error)
    known = type(error).__module__.partition(".")[0] in ("litellm", "openai", __name__)
    message = (call.clean(text) if call else text) if known else f"LiteLLM failed with {name}."
    given = getattr(error, "litellm_response_headers", None) or getattr(response, "headers", None) or {}
    kind = KINDS.get(status, "invalid_request_error" if status < 500 else "api_error")
    body = {"message": message, "type": kind, "param": getattr(error, "param", None), "code": name}
    return status, passing(given), {"error": body}


def provider_status(error: BaseException | None) -> int:
    """Return the status that the provider answered with; LiteLLM's classes round some of them (529 becomes 500)."""
    found = 0
    while error is not None:
        status = getattr(error, "status_code", None)
        if isinstance(status, int) and 400 <= status <= 599:
            found = status
        error = error.__cause__ or error.__context__
    return found


def passing(headers: Any) -> dict[str, str]:
    """Return a provider's headers that its answer may show."""
    named = ((str(name).lower().removeprefix(PROVIDER_PREFIX), str(value)) for name, value in dict(headers).items())
    return {name: value for name, value in named if name in PASSING or name.startswith(PASSING_PREFIXES)}


def hidden(answer: Any) -> dict[str, str]:
    """Return the provider's headers that LiteLLM keeps beside an answer."""
    found = getattr(answer, "_hidden_params", None) or {}
    return passing(found.get("additional_headers") or {}) if isinstance(found, dict) else {}


def document(answer: Any) -> dict[str, Any]:
    """Return an answer as OpenAI writes it: what LiteLLM does not know is absent, what the wire always has is there."""
    plain: dict[str, Any] = (
        answer.model_dump(mode="json", exclude_none=True) if hasattr(answer, "model_dump") else dict(answer)
    )
    if not any((plain.get("usage") or {}).get(count) for count in COUNTS):
        # LiteLLM writes zeros where the provider counted nothing.
        plain.pop("usage", None)
    for choice in plain.get("choices") or ():
        choice.setdefault("finish_reason", None)
        tidy(choice)
        if (message := choice.get("message")) is not None:
            message.setdefault("content", None)
            tidy(message)
    return plain


def tidy(part: dict[str, Any]) -> None:
    """Leave out LiteLLM's own field for what a provider said beside the wire, where it said nothing."""
    said = part.get("provider_specific_fields")
    if isinstance(said, dict) and all(value is None for value in said.values()):
        del part["provider_specific_fields"]


def encode(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


# -- HTTP -----------------------------------------------------------------------------------------------------------


class Server:
    """The HTTP side: aiohttp's, on one socket file."""

    def __init__(self, config: Config, litellm: Any) -> None:
        from aiohttp import web

        self._web = web
        self._litellm = litellm
        self._secret = config.secret
        self._socket = config.socket

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
                call = Call(operation, request.headers, json.loads(await request.read()))
                answer = await getattr(self._litellm, operation.function)(**call.arguments)
                if call.stream and hasattr(answer, "__anext__"):
                    return await self.streamed(request, call, answer)
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


async def frames(call: Call, first: Any, answer: Any) -> AsyncIterator[bytes]:
    """Yield server-sent events: chunks and ``[DONE]``, or an error where the answer broke."""
    try:
        if first is not None:
            yield b"data: " + encode(document(first)) + b"\n\n"
        async for chunk in answer:
            said = document(chunk)
            if said.get("choices") or "usage" in said:
                yield b"data: " + encode(said) + b"\n\n"
    except Exception as error:  # noqa: BLE001 (see above)
        _, _, body = described(error, call)
        log.info("a stream broke (%s)", type(error).__name__)
        yield b"data: " + encode(body) + b"\n\n"
        return
    yield b"data: [DONE]\n\n"


async def close(answer: Any) -> None:
    """Let go of a provider's stream."""
    end = getattr(answer, "aclose", None)
    if end is not None:
        with suppress(Exception):
            await end()


async def serve(config: Config, litellm: Any, ready: int) -> None:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, told: log.error("unhandled: %s", type(told.get("exception")).__name__))
    await Server(config, litellm).run()
    os.write(ready, b"ready\n")
    await loop.create_future()


def main() -> None:
    ready, errors = os.dup(1), os.fdopen(os.dup(2), "w", encoding="utf-8", buffering=1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    hush(errors)
    stdin = sys.stdin.buffer
    config = Config(**json.loads(stdin.readline()))
    end_with_parent(stdin)
    # The gateway's own calls go first where processors are short.
    os.nice(10)
    os.environ.update(QUIET)
    litellm = load(config)
    # A third of a million objects live as long as the process; looking through them costs each call 0.3 ms.
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
    asyncio.run(serve(config, litellm, ready))


if __name__ == "__main__":
    main()
