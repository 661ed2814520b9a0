"""Changes that faults make in the JSON of any wire: no usage, impossible usage, no finish reason, unknown fields."""

import json
from collections.abc import Callable
from typing import Any

from antiphon.sim.behaviour import Behaviour
from antiphon.sim.wire_format import JsonRewrite

UNKNOWN_FIELDS = b',"x_sim" : {"kept": [1.50, 1e2, -0.0, 123456789012345678901234567890, "\\u00e9\\/", null ] }'
_OPENAI_USAGE = {
    "negative": b'{"prompt_tokens":-5,"completion_tokens":-7,"total_tokens":-12}',
    "huge": b'{"prompt_tokens":9e99,"completion_tokens":99999999999999999999999,"total_tokens":1}',
    "nan": b'{"prompt_tokens":NaN,"completion_tokens":Infinity,"total_tokens":NaN}',
    "text": b'{"prompt_tokens":"many","completion_tokens":[],"total_tokens":{}}',
    "null": b"null",
}
"""Impossible usage in OpenAI's shape, by kind."""

_NUMBERS: dict[str, Any] = {"negative": -5, "huge": 10**23, "nan": float("nan"), "text": "many", "null": None}
_USAGE_FIELDS = ("usage", "usageMetadata")
_FINISH_FIELDS: dict[str, Any] = {
    "stop_reason": None,
    "stopReason": None,
    "finishReason": None,
    "status": "in_progress",
}
"""The fields that say on each wire that an answer is complete, and their values until it is."""


def corrupt_openai_usage(usage: bytes, behaviour: Behaviour) -> bytes:
    """Return OpenAI's usage object as the fault changes it; empty if the fault leaves it out."""
    if behaviour.fault == "no-usage":
        return b""
    return _OPENAI_USAGE[behaviour.kind] if behaviour.fault == "bad-usage" else usage


def find_rewrite(behaviour: Behaviour) -> JsonRewrite | None:
    """Return the change that a model's name asks for in each JSON object of an answer, or ``None``."""
    if behaviour.speech == "mirror":
        return _add_unknown_fields
    maker = _MAKERS.get(behaviour.fault)
    return maker(behaviour) if maker is not None else None


def remove_finish(body: bytes) -> bytes:
    """Return a complete answer of any wire without its finish reason."""
    document = json.loads(body)
    for holder in (document, *document.get("candidates", ())):
        for field in _FINISH_FIELDS.keys() & holder.keys():
            holder[field] = _FINISH_FIELDS[field]
    return _encode(document)


def _add_unknown_fields(data: bytes) -> bytes:
    return data[:-1] + UNKNOWN_FIELDS + b"}"


def _make_usage_rewrite(corrupt: Callable[[dict[str, Any], str], None]) -> JsonRewrite:
    """Return a rewrite that applies ``corrupt`` to each object with a usage and to the name of its field."""

    def rewrite(data: bytes) -> bytes:
        document = json.loads(data)
        for holder in (document, document.get("message"), document.get("response")):
            for field in _USAGE_FIELDS:
                if isinstance(holder, dict) and holder.get(field):
                    corrupt(holder, field)
        return _encode(document)

    return rewrite


def _encode(document: dict[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def _make_usage_removal(behaviour: Behaviour) -> JsonRewrite:
    return _make_usage_rewrite(lambda holder, field: holder.pop(field))


def _make_impossible_usage(behaviour: Behaviour) -> JsonRewrite:
    number = _NUMBERS[behaviour.kind]

    def corrupt(holder: dict[str, Any], field: str) -> None:
        usage = holder[field]
        holder[field] = {name: number if isinstance(value, int) else value for name, value in usage.items()}

    return _make_usage_rewrite(corrupt)


_MAKERS: dict[str, Callable[[Behaviour], JsonRewrite]] = {
    "no-usage": _make_usage_removal,
    "bad-usage": _make_impossible_usage,
}
