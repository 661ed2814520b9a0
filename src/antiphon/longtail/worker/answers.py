"""What LiteLLM returns or raises, as OpenAI's wire has it."""

import json
from collections.abc import AsyncIterator
from typing import Any

from .calls import Call, Refused
from .logs import log

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
COUNTS = ("prompt_tokens", "completion_tokens", "total_tokens", "input_tokens", "output_tokens", "seconds")
PASSING = ("x-request-id", "retry-after")
PASSING_PREFIXES = ("x-ratelimit-",)
PROVIDER_PREFIX = "llm_provider-"


def described(error: Exception, call: Call | None) -> tuple[int, dict[str, str], dict[str, Any]]:
    """Return status, headers and OpenAI's error object for what LiteLLM raised."""
    name = type(error).__name__
    response = getattr(error, "response", None)
    status = STATUSES.get(name) or provider_status(error) or 500
    text = str(getattr(error, "message", "") or error)
    known = isinstance(error, Refused) or type(error).__module__.partition(".")[0] in ("litellm", "openai")
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
