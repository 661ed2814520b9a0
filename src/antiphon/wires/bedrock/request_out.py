"""A request of the neutral form written for Converse (API reference, "Converse": Request Body).

What Converse has no field for goes where the model's profile says, or is left out and named in ``dropped``.
Structured output is ``outputConfig.textFormat``; any JSON object, and any form that the model does not
enforce, is asked for in words and named in ``dropped``. The quirk ``no_structured_output`` says that a target enforces
none.
"""

import re
from typing import Any

from antiphon.errors import BadRequest
from antiphon.types import Target
from antiphon.wires.bedrock import schema, thinking_out, tools_out
from antiphon.wires.bedrock.draft import MORE, Draft
from antiphon.wires.bedrock.jsontext import encode, json_text
from antiphon.wires.bedrock.messages_out import Turns, cache_point
from antiphon.wires.translation.codec import WrittenRequest
from antiphon.wires.translation.json_schema import fit_schema
from antiphon.wires.translation.media import moved
from antiphon.wires.translation.neutral import Request, Text

_TIERS = {
    "default": "default",
    "standard": "default",
    "standard_only": "default",
    "flex": "flex",
    "priority": "priority",
    "reserved": "reserved",
}
_SAID_BY_SILENCE = ("", "auto")
_METADATA = re.compile(r"[a-zA-Z0-9\s:_@$#=/+,.-]{0,256}")
_METADATA_LIMIT = 16
_NOT_HERE = ("presence_penalty", "frequency_penalty", "logprobs", "top_logprobs")
_ANY_JSON = "Answer with one JSON object and with nothing else: no other text, no code fence."
_SCHEMA_JSON = "It must be valid against this JSON Schema: "


def write(request: Request, target: Target) -> WrittenRequest:
    """Return the body for ``target.model``, which stands in the path; raises as ``Codec.write_request`` says."""
    if request.n > 1:
        raise BadRequest(f"`n` is {request.n}; the provider of this model gives one answer to a call.", param="n")
    if request.modalities:
        wanted = ", ".join(request.modalities)
        raise BadRequest(f"`modalities` asks for {wanted}, which Converse has no field for.", param="modalities")
    draft = Draft(target.profile)
    _messages(draft, request)
    tools_out.write(draft, request)
    _format(draft, request, "no_structured_output" not in target.quirks)
    _extras(draft, request)
    _inference(draft, request, thinking_out.write(draft, request))
    _identity(draft, request)
    if request.seed is not None:
        draft.drop("seed")
    for name in _NOT_HERE:
        if getattr(request, name) is not None:
            draft.drop(name)
    return WrittenRequest(encode(draft.out), tuple(draft.dropped))


def _messages(draft: Draft, request: Request) -> None:
    turns = Turns(draft)
    for at, message in enumerate(moved(request.messages)):
        turns.add(message, f"messages[{at}].content")
    if not turns.messages:
        raise BadRequest("`messages` holds nothing that could be sent.", param="messages")
    draft.out["messages"] = turns.messages
    blocks = [block for text in request.system for block in _system(text)] + turns.system
    if blocks:
        draft.out["system"] = blocks


def _system(text: Text) -> list[dict[str, Any]]:
    if not text.text.strip():
        return []
    return [{"text": text.text}, *([cache_point(text.cache)] if text.cache is not None else ())]


def _format(draft: Draft, request: Request, enforced: bool) -> None:
    wanted = request.format
    if wanted is None:
        return
    fitted = fit_schema(wanted.schema) if wanted.schema is not None and enforced and draft.profile.structured else None
    if fitted is not None:
        told = {"schema": json_text(fitted.schema), "name": wanted.name, "description": wanted.description}
        structure = {"jsonSchema": {name: value for name, value in told.items() if value}}
        draft.put("outputConfig.textFormat", {"type": "json_schema", "structure": structure})
        for keyword in fitted.unenforced:
            draft.drop(f"format.{keyword}")
        return
    draft.say(_ANY_JSON if wanted.schema is None else f"{_ANY_JSON} {_SCHEMA_JSON}{json_text(wanted.schema)}")
    draft.drop("format")


def _extras(draft: Draft, request: Request) -> None:
    for name, value in request.extras.items():
        if name in schema.OWN_FIELDS or (name == MORE and type(value) is dict):
            draft.out[name] = value
        else:
            draft.drop(name)


def _inference(draft: Draft, request: Request, thinks: bool) -> None:
    profile = draft.profile
    free = not thinks and profile.sampling
    config: dict[str, Any] = {}
    if request.max_tokens is not None:
        config["maxTokens"] = request.max_tokens
    temperature, top_p = request.temperature, request.top_p
    if temperature is not None:
        if temperature > 1 or (temperature != 1 and not free):
            draft.drop("temperature")
        if free:
            config["temperature"] = min(temperature, 1.0)
    if top_p is not None:
        if free and (profile.temperature_with_top_p or temperature is None):
            config["topP"] = top_p
        elif top_p != 1:
            draft.drop("top_p")
    if request.top_k is not None:
        if free and profile.top_k_path:
            draft.put(profile.top_k_path, request.top_k)
        else:
            draft.drop("top_k")
    if stop := [text for text in request.stop if text]:
        config["stopSequences"] = stop
    if len(stop) < len(request.stop):
        draft.drop("stop")
    if config:
        draft.out["inferenceConfig"] = config


def _identity(draft: Draft, request: Request) -> None:
    told = request.metadata or {}
    fit_ = [name for name, value in told.items() if name and _METADATA.fullmatch(name) and _fits(value)]
    kept = {name: told[name] for name in fit_[:_METADATA_LIMIT]}
    if len(kept) < len(told):
        draft.drop("metadata")
    if request.user:
        if _fits(request.user) and "user" not in kept and len(kept) < _METADATA_LIMIT:
            kept["user"] = request.user
        else:
            draft.drop("user")
    if kept:
        draft.out["requestMetadata"] = kept
    if (tier := _TIERS.get(request.service_tier)) is not None:
        draft.out["serviceTier"] = {"type": tier}
    elif request.service_tier not in _SAID_BY_SILENCE:
        draft.drop("service_tier")


def _fits(value: Any) -> bool:
    return type(value) is str and _METADATA.fullmatch(value) is not None
