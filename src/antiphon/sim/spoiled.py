"""What a fault changes in the JSON of any wire: usage left out or with impossible numbers, an end left out."""

import json
from collections.abc import Callable
from typing import Any

from antiphon.sim.behaviour import Behaviour
from antiphon.sim.dialect import Change

UNKNOWN_FIELDS = b',"x_sim" : {"kept": [1.50, 1e2, -0.0, 123456789012345678901234567890, "\\u00e9\\/", null ] }'
OPENAI = {
    "negative": b'{"prompt_tokens":-5,"completion_tokens":-7,"total_tokens":-12}',
    "huge": b'{"prompt_tokens":9e99,"completion_tokens":99999999999999999999999,"total_tokens":1}',
    "nan": b'{"prompt_tokens":NaN,"completion_tokens":Infinity,"total_tokens":NaN}',
    "text": b'{"prompt_tokens":"many","completion_tokens":[],"total_tokens":{}}',
    "null": b"null",
}
"""Impossible usage in OpenAI's shape, by kind."""

_NUMBERS: dict[str, Any] = {"negative": -5, "huge": 10**23, "nan": float("nan"), "text": "many", "null": None}
_FIELDS = ("usage", "usageMetadata")
_ENDS: dict[str, Any] = {"stop_reason": None, "stopReason": None, "finishReason": None, "status": "in_progress"}
"""What says on each wire that an answer is over, and what stands there until it is."""


def change(behaviour: Behaviour) -> Change | None:
    """Return what changes each JSON object of an answer as the model's name asks, or ``None``."""
    if behaviour.speech == "mirror":
        return _with_unknown_fields
    making = _CHANGES.get(behaviour.fault)
    return making(behaviour) if making is not None else None


def unfinished(body: bytes) -> bytes:
    """Return a whole answer of any wire without its finish reason."""
    document = json.loads(body)
    for holder in (document, *document.get("candidates", ())):
        for field in _ENDS.keys() & holder.keys():
            holder[field] = _ENDS[field]
    return _written(document)


def _with_unknown_fields(data: bytes) -> bytes:
    return data[:-1] + UNKNOWN_FIELDS + b"}"


def _spoiling(spoil: Callable[[dict[str, Any], str], None]) -> Change:
    def changed(data: bytes) -> bytes:
        document = json.loads(data)
        for holder in (document, document.get("message"), document.get("response")):
            for field in _FIELDS:
                if isinstance(holder, dict) and holder.get(field):
                    spoil(holder, field)
        return _written(document)

    return changed


def _written(document: dict[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def _left_out(behaviour: Behaviour) -> Change:
    return _spoiling(lambda holder, field: holder.pop(field))


def _impossible(behaviour: Behaviour) -> Change:
    number = _NUMBERS[behaviour.kind]

    def spoil(holder: dict[str, Any], field: str) -> None:
        usage = holder[field]
        holder[field] = {name: number if isinstance(value, int) else value for name, value in usage.items()}

    return _spoiling(spoil)


_CHANGES: dict[str, Callable[[Behaviour], Change]] = {"no-usage": _left_out, "bad-usage": _impossible}
