"""A neutral request, to the body for a target of this wire.

Rules for what this wire, or a model by its profile, does not take. Left out and reported, under the neutral name:
``seed``, penalties, ``logprobs``, ``metadata``, an image's ``detail``, a speaker's ``name``, a blank ``stop``, sampling
where a model refuses it or while it thinks, a ``service_tier`` without counterpart, ``reasoning`` where a forced tool
call or a model stands against it, members of other wires. Brought down and reported: a ``temperature`` above 1. Told to
the model instead of enforced, and reported as ``format``: any JSON object, and a schema that has no counterpart.
Refused: more than one answer, images or sound as the answer, audio, other wires' built-in tools, files and images of
types that are not taken.
"""

from typing import Any

import msgspec

from antiphon.errors import BadRequest
from antiphon.types import Profile, Target
from antiphon.wires.anthropic.hosted import MODEL_IN_PATH, hosted
from antiphon.wires.anthropic.write_content import Dropped, Turns
from antiphon.wires.anthropic.write_thinking import write_thinking
from antiphon.wires.anthropic.write_tools import write_tools
from antiphon.wires.claude.schema import fit
from antiphon.wires.translation.codec import WrittenRequest
from antiphon.wires.translation.media import moved
from antiphon.wires.translation.neutral import Format, Request
from antiphon.wires.translation.pseudonym import IDENTIFIER, opaque

_encode = msgspec.json.Encoder().encode

_NOT_HERE = ("seed", "presence_penalty", "frequency_penalty", "logprobs", "top_logprobs")
"""What this wire has no member for."""
_OWN = frozenset(
    ("cache_control", "container", "context_management", "diagnostics", "fallbacks", "inference_geo", "speed", "betas")
)
"""Top-level members that only this wire has, and that a request may carry through the neutral form."""
_MAX_TOKENS = 8192
"""Asked for if neither the caller nor the model's profile gives a number, because this wire requires one."""
_TIERS = {"auto": "auto", "default": "standard_only", "priority": "auto"}
_ONLY_JSON = (
    "Answer with one JSON object and nothing else: no explanation before or after it, and no Markdown fence around it."
)


def write_request(request: Request, target: Target) -> WrittenRequest:
    """See :meth:`translation.codec.Codec.write_request`."""
    if request.n > 1:
        raise BadRequest(f"`n` is {request.n}; the provider of this model gives one answer to a call.", param="n")
    if request.modalities:
        wanted = ", ".join(request.modalities)
        raise BadRequest(
            f"`modalities` asks for {wanted}; the model's provider answers in text only.", param="modalities"
        )
    profile = target.profile
    dropped: Dropped = {}
    turns = Turns(profile, request.system, dropped)
    for place, message in enumerate(moved(request.messages)):
        turns.add(message, f"messages[{place}].content")
    if not turns.messages:
        raise BadRequest("`messages` holds nothing that could be sent.", param="messages")
    body: dict[str, Any] = {
        "model": target.model,
        "max_tokens": _choose_max_tokens(request, profile),
        "messages": _short(turns.messages),
    }
    body |= write_tools(request, profile, dropped)
    write_thinking(body, request, turns.messages, profile, dropped)
    if request.format is not None:
        _write_format(body, turns, request.format, profile, dropped)
    if turns.system:
        body["system"] = _short_content(turns.system)
    _write_sampling(body, request, profile, dropped)
    _write_rest(body, request, dropped)
    return WrittenRequest(_encode(hosted(body) if MODEL_IN_PATH in target.quirks else body), tuple(dropped))


def _choose_max_tokens(request: Request, profile: Profile) -> int:
    if request.max_tokens is not None:
        return request.max_tokens
    return _MAX_TOKENS if profile.max_tokens is None else profile.max_tokens


def _short(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"role": message["role"], "content": _short_content(message["content"])} for message in messages]


def _short_content(blocks: list[dict[str, Any]]) -> list[dict[str, Any]] | str:
    """Return plain text as a string, which means the same."""
    if len(blocks) == 1 and blocks[0].keys() == {"type", "text"}:
        text: str = blocks[0]["text"]
        return text
    return blocks


def _write_format(body: dict[str, Any], turns: Turns, form: Format, profile: Profile, dropped: Dropped) -> None:
    schema = form.schema if form.kind == "schema" else None
    if schema is not None and form.description:
        schema = {"description": form.description, **schema}
    fitted = fit(schema) if schema is not None and profile.structured else None
    if fitted is not None:
        body.setdefault("output_config", {})["format"] = {"type": "json_schema", "schema": fitted.schema}
        dropped.update((f"format.{keyword}", None) for keyword in fitted.told)
        return
    text = _ONLY_JSON
    if schema is not None:
        text += f" It must be valid against this JSON Schema: {_encode(schema).decode()}"
    turns.system.append({"type": "text", "text": text})
    dropped["format"] = None


def _write_sampling(body: dict[str, Any], request: Request, profile: Profile, dropped: Dropped) -> None:
    thinks = body.get("thinking", {}).get("type") in ("enabled", "adaptive")
    free = profile.sampling and not thinks
    temperature = request.temperature
    if temperature is not None:
        # Of the three, a model that takes none still takes the default temperature.
        if temperature > 1 or (temperature != 1 and not free):
            dropped["temperature"] = None
        if free:
            body["temperature"] = min(temperature, 1.0)
    if request.top_p is not None:
        if (free or (profile.sampling and request.top_p >= 0.95)) and (
            profile.temperature_with_top_p or temperature is None
        ):
            body["top_p"] = request.top_p
        elif request.top_p != 1:
            dropped["top_p"] = None
    if request.top_k is not None:
        if free:
            body["top_k"] = request.top_k
        else:
            dropped["top_k"] = None


def _write_rest(body: dict[str, Any], request: Request, dropped: Dropped) -> None:
    if stop := [text for text in request.stop if text.strip()]:
        body["stop_sequences"] = stop
    if len(stop) < len(request.stop):
        dropped["stop"] = None
    if request.user:
        body["metadata"] = {"user_id": opaque(request.user, IDENTIFIER)}
    if request.metadata:
        dropped["metadata"] = None
    if request.service_tier in _TIERS:
        body["service_tier"] = _TIERS[request.service_tier]
    elif request.service_tier:
        dropped["service_tier"] = None
    if request.stream:
        body["stream"] = True
    for name in _NOT_HERE:
        if getattr(request, name) is not None:  # 0 is a value, too
            dropped[name] = None
    for name, value in request.extras.items():
        if name in _OWN:
            body[name] = value
        else:
            dropped[name] = None
