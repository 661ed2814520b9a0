"""Answers to requests that only count tokens, on the Messages and the Gemini wire."""

from typing import Any

import msgspec

from antiphon.sim.question import count_prompt_tokens
from antiphon.wires.table import get_codec

_encode = msgspec.json.encode


def write_messages_body(document: dict[str, Any]) -> bytes:
    """Return the answer to ``messages/count_tokens``; raises :class:`BadRequest`."""
    request = get_codec("messages").read_request({"max_tokens": 1, **document}, document.get("model", ""), False)
    return _encode({"input_tokens": count_prompt_tokens(request)})


def write_gemini_body(document: dict[str, Any], model: str) -> bytes:
    """Return the answer to ``countTokens``; raises :class:`BadRequest`."""
    request = document.get("generateContentRequest") or document.get("generate_content_request") or document
    size = count_prompt_tokens(get_codec("generate").read_request(request, model, False))
    return _encode({"totalTokens": size, "promptTokensDetails": [{"modality": "TEXT", "tokenCount": size}]})
