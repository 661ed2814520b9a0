"""Writes the response object, for every event that has one (API reference, "The response object")."""

from typing import Any

import msgspec

from antiphon.clock import make_id, read_time_us
from antiphon.types import Usage
from antiphon.wires.json_text import encode_json
from antiphon.wires.responses.usage import write_usage
from antiphon.wires.translation.neutral import Request

_ID_PREFIX = "resp_"
_DEFAULTS: dict[str, Any] = {
    "background": False,
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "model": "",
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "prompt_cache_key": None,
    "reasoning": {"effort": None, "summary": None},
    "safety_identifier": None,
    "service_tier": "default",
    "store": True,
    "temperature": 1.0,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
    "top_p": 1.0,
    "truncation": "disabled",
    "user": None,
}


class ResponseTemplate:
    """The response object without its state: encoded once for a request, and used in every event."""

    __slots__ = ("_constant", "_created", "id")

    def __init__(self, request: Request, reply_id: str, model: str, created: int = 0) -> None:
        self.id = reply_id if reply_id.startswith(_ID_PREFIX) else make_id("resp")
        self._created = created or read_time_us() // 1_000_000
        echo = request.echo
        constant = {**_DEFAULTS, **echo, "model": model or request.model}
        for name in ("reasoning", "text"):
            constant[name] = {**_DEFAULTS[name], **echo.get(name, {})}
        self._constant = encode_json(constant)

    def make_item_id(self, prefix: str, index: int) -> str:
        """Return a unique id for the output item at ``index``."""
        return f"{prefix}_{self.id[len(_ID_PREFIX) :]}{index:02x}"

    def write(
        self,
        status: str,
        output: list[bytes],
        usage: Usage | None = None,
        *,
        incomplete: dict[str, Any] | None = None,
        error: dict[str, Any] | None = None,
    ) -> bytes:
        """Return the object in a state; ``output`` holds the items as JSON."""
        state = {
            "id": self.id,
            "object": "response",
            "created_at": self._created,
            "status": status,
            "completed_at": read_time_us() // 1_000_000 if status == "completed" else None,
            "error": error,
            "incomplete_details": incomplete,
            "usage": write_usage(usage),
        }
        return b'%b,"output":[%b],%b' % (msgspec.json.encode(state)[:-1], b",".join(output), self._constant[1:])
