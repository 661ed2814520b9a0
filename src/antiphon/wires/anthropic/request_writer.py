"""Writes a neutral request as the body for a target of this wire.

This wire and its models do not accept everything. These rules apply:

- These are left out and reported under the neutral name: ``seed``, penalties, ``logprobs``, ``metadata``, an image's
  ``detail``, a speaker's ``name``, a blank ``stop``, sampling parameters if the model refuses them or while it thinks,
  a ``service_tier`` without counterpart, ``reasoning`` if a forced tool call or the model rules it out, members of
  other wires.
- A ``temperature`` above 1 is reduced to 1 and reported.
- The system prompt asks for "any JSON object" and for a schema that has no counterpart; ``format`` is then reported.
- These are refused: more than one answer, images or audio as the answer, audio input, built-in tools of other wires,
  files and images of other types.
"""

from typing import Any

import msgspec

from antiphon.errors import BadRequest
from antiphon.types import Profile, Target
from antiphon.wires.anthropic.content_writer import ConversationWriter, Dropped
from antiphon.wires.anthropic.model_in_path import MODEL_IN_PATH, move_model_to_path
from antiphon.wires.anthropic.thinking import write_thinking
from antiphon.wires.anthropic.tools import write_tools
from antiphon.wires.translation.codec import WrittenRequest
from antiphon.wires.translation.json_schema import fit_schema
from antiphon.wires.translation.media import move_media_to_user
from antiphon.wires.translation.neutral import Format, Request
from antiphon.wires.translation.pseudonym import IDENTIFIER, pseudonymize

_encode = msgspec.json.Encoder().encode

_UNSUPPORTED = ("seed", "presence_penalty", "frequency_penalty", "logprobs", "top_logprobs")
"""Fields for which this wire has no member."""
_OWN_FIELDS = frozenset(
    ("cache_control", "container", "context_management", "diagnostics", "fallbacks", "inference_geo", "speed", "betas")
)
"""Top-level members that only this wire has; the neutral form keeps them in ``extras``."""
_MAX_TOKENS = 8192
"""The limit if neither the caller nor the model's profile gives one, because this wire requires it."""
_TIERS = {"auto": "auto", "default": "standard_only", "priority": "auto"}
_ONLY_JSON = (
    "Answer with one JSON object and nothing else: no explanation before or after it, and no Markdown fence around it."
)
_LEAST_TOP_P = 0.95
"""The lowest ``top_p`` that a model accepts while it thinks (guide "Thinking")."""


def write_request(request: Request, target: Target) -> WrittenRequest:
    """See :meth:`translation.codec.Codec.write_request`."""
    _check_answers(request)
    profile = target.profile
    dropped: Dropped = {}
    conversation = ConversationWriter(profile, request.system, dropped)
    for index, message in enumerate(move_media_to_user(request.messages)):
        conversation.add(message, f"messages[{index}].content")
    if not conversation.messages:
        raise BadRequest("`messages` holds nothing that could be sent.", param="messages")
    body: dict[str, Any] = {
        "model": target.model,
        "max_tokens": _choose_max_tokens(request, profile),
        "messages": _shorten_messages(conversation.messages),
    }
    body |= write_tools(request, profile, dropped)
    write_thinking(body, request, conversation.messages, profile, dropped)
    if request.format is not None:
        _write_format(body, conversation, request.format, profile, dropped)
    if conversation.system:
        body["system"] = _shorten_content(conversation.system)
    _write_sampling(body, request, profile, dropped)
    _write_rest(body, request, dropped)
    if MODEL_IN_PATH in target.quirks:
        body = move_model_to_path(body)
    return WrittenRequest(_encode(body), tuple(dropped))


def _check_answers(request: Request) -> None:
    if request.n > 1:
        raise BadRequest(f"`n` is {request.n}; the provider of this model gives one answer to a call.", param="n")
    if request.modalities:
        modalities = ", ".join(request.modalities)
        raise BadRequest(
            f"`modalities` asks for {modalities}; the model's provider answers in text only.", param="modalities"
        )


def _choose_max_tokens(request: Request, profile: Profile) -> int:
    if request.max_tokens is not None:
        return request.max_tokens
    return _MAX_TOKENS if profile.max_tokens is None else profile.max_tokens


def _shorten_messages(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"role": message["role"], "content": _shorten_content(message["content"])} for message in messages]


def _shorten_content(blocks: list[dict[str, Any]]) -> list[dict[str, Any]] | str:
    """Return a single plain text as a string, which means the same."""
    if len(blocks) == 1 and blocks[0].keys() == {"type", "text"}:
        text: str = blocks[0]["text"]
        return text
    return blocks


def _write_format(
    body: dict[str, Any], conversation: ConversationWriter, format: Format, profile: Profile, dropped: Dropped
) -> None:
    schema = format.schema if format.kind == "schema" else None
    if schema is not None and format.description:
        schema = {"description": format.description, **schema}
    supported = fit_schema(schema) if schema is not None and profile.structured else None
    if supported is not None:
        body.setdefault("output_config", {})["format"] = {"type": "json_schema", "schema": supported.schema}
        dropped.update((f"format.{keyword}", None) for keyword in supported.unenforced)
        return
    text = _ONLY_JSON
    if schema is not None:
        text += f" It must be valid against this JSON Schema: {_encode(schema).decode()}"
    conversation.system.append({"type": "text", "text": text})
    dropped["format"] = None


def _write_sampling(body: dict[str, Any], request: Request, profile: Profile, dropped: Dropped) -> None:
    thinks = body.get("thinking", {}).get("type") in ("enabled", "adaptive")
    takes_sampling = profile.sampling and not thinks
    temperature, top_p = request.temperature, request.top_p
    if temperature is not None:
        # A model that accepts no sampling parameters still accepts the default temperature.
        if temperature > 1 or (temperature != 1 and not takes_sampling):
            dropped["temperature"] = None
        if takes_sampling:
            body["temperature"] = min(temperature, 1.0)
    if top_p is not None:
        takes_top_p = takes_sampling or (profile.sampling and top_p >= _LEAST_TOP_P)
        if takes_top_p and (profile.temperature_with_top_p or temperature is None):
            body["top_p"] = top_p
        elif top_p != 1:
            dropped["top_p"] = None
    if request.top_k is not None:
        if takes_sampling:
            body["top_k"] = request.top_k
        else:
            dropped["top_k"] = None


def _write_rest(body: dict[str, Any], request: Request, dropped: Dropped) -> None:
    if stop := [text for text in request.stop if text.strip()]:
        body["stop_sequences"] = stop
    if len(stop) < len(request.stop):
        dropped["stop"] = None
    if request.user:
        body["metadata"] = {"user_id": pseudonymize(request.user, IDENTIFIER)}
    if request.metadata:
        dropped["metadata"] = None
    if request.service_tier in _TIERS:
        body["service_tier"] = _TIERS[request.service_tier]
    elif request.service_tier:
        dropped["service_tier"] = None
    if request.stream:
        body["stream"] = True
    for name in _UNSUPPORTED:
        if getattr(request, name) is not None:  # 0 is a value, too
            dropped[name] = None
    for name, value in request.extras.items():
        if name in _OWN_FIELDS:
            body[name] = value
        else:
            dropped[name] = None
