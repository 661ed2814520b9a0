"""Writes what LiteLLM returns or raises in the form of the OpenAI wire."""

import json
from collections.abc import AsyncIterator
from typing import Any

from .calls import Call, RejectedCall
from .log_filter import log

STATUSES = {"APIConnectionError": 502, "Timeout": 504}
"""LiteLLM's errors that carry no status of the provider."""
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
USAGE_COUNTS = ("prompt_tokens", "completion_tokens", "total_tokens", "input_tokens", "output_tokens", "seconds")
FORWARDED_HEADERS = ("x-request-id", "retry-after")
FORWARDED_PREFIXES = ("x-ratelimit-",)
PROVIDER_PREFIX = "llm_provider-"


def describe_error(error: Exception, call: Call | None) -> tuple[int, dict[str, str], dict[str, Any]]:
    """Return status, headers and OpenAI's error object for an exception of LiteLLM."""
    name = type(error).__name__
    response = getattr(error, "response", None)
    status = STATUSES.get(name) or find_provider_status(error) or 500
    text = str(getattr(error, "message", "") or error)
    known = isinstance(error, RejectedCall) or type(error).__module__.partition(".")[0] in ("litellm", "openai")
    message = (call.clean_message(text) if call else text) if known else f"LiteLLM failed with {name}."
    headers = getattr(error, "litellm_response_headers", None) or getattr(response, "headers", None) or {}
    kind = KINDS.get(status, "invalid_request_error" if status < 500 else "api_error")
    body = {"message": message, "type": kind, "param": getattr(error, "param", None), "code": name}
    return status, filter_headers(headers), {"error": body}


def find_provider_status(error: BaseException | None) -> int | None:
    """Return the status of the provider's answer, if any; LiteLLM's classes change some (529 becomes 500)."""
    found = None
    while error is not None:
        status = getattr(error, "status_code", None)
        if isinstance(status, int) and 400 <= status <= 599:
            found = status
        error = error.__cause__ or error.__context__
    return found


def filter_headers(headers: Any) -> dict[str, str]:
    """Return the provider's headers that the answer may show."""
    named = ((str(name).lower().removeprefix(PROVIDER_PREFIX), str(value)) for name, value in dict(headers).items())
    return {name: value for name, value in named if name in FORWARDED_HEADERS or name.startswith(FORWARDED_PREFIXES)}


def get_provider_headers(answer: Any) -> dict[str, str]:
    """Return the provider's headers, which LiteLLM keeps beside an answer."""
    hidden = getattr(answer, "_hidden_params", None) or {}
    return filter_headers(hidden.get("additional_headers") or {}) if isinstance(hidden, dict) else {}


def make_document(answer: Any) -> dict[str, Any]:
    """Return an answer as OpenAI writes it: without fields that LiteLLM does not know, with those the wire requires."""
    document: dict[str, Any] = (
        answer.model_dump(mode="json", exclude_none=True) if hasattr(answer, "model_dump") else dict(answer)
    )
    if not any((document.get("usage") or {}).get(count) for count in USAGE_COUNTS):
        # LiteLLM writes zeros if the provider stated no usage.
        document.pop("usage", None)
    for choice in document.get("choices") or ():
        choice.setdefault("finish_reason", None)
        remove_empty_provider_fields(choice)
        if (message := choice.get("message")) is not None:
            message.setdefault("content", None)
            remove_empty_provider_fields(message)
    return document


def remove_empty_provider_fields(part: dict[str, Any]) -> None:
    """Remove the field in which LiteLLM puts a provider's fields beside the wire, if they are all empty."""
    fields = part.get("provider_specific_fields")
    if isinstance(fields, dict) and all(value is None for value in fields.values()):
        del part["provider_specific_fields"]


def encode(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


async def write_frames(call: Call, first: Any, answer: Any) -> AsyncIterator[bytes]:
    """Yield server-sent events: the chunks and ``[DONE]``, or an error if the answer breaks."""
    try:
        if first is not None:
            yield b"data: " + encode(make_document(first)) + b"\n\n"
        async for chunk in answer:
            document = make_document(chunk)
            if document.get("choices") or "usage" in document:
                yield b"data: " + encode(document) + b"\n\n"
    except Exception as error:  # noqa: BLE001 (the status is sent already)
        _, _, body = describe_error(error, call)
        log.info("a stream broke (%s)", type(error).__name__)
        yield b"data: " + encode(body) + b"\n\n"
        return
    yield b"data: [DONE]\n\n"
