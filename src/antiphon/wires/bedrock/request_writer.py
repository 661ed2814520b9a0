"""A neutral request written for Converse (API reference, "Converse": Request Body).

A field that Converse does not have goes to the place in the model's profile, or is left out and named in ``dropped``.
Structured output is ``outputConfig.textFormat``. The system prompt asks for JSON instead, and ``dropped`` names the
format, if the caller wants any JSON object or if the model does not enforce schemas. The quirk
``no_structured_output`` marks a target that enforces none.
"""

import re
from typing import Any

from antiphon.errors import BadRequest
from antiphon.types import Target
from antiphon.wires.bedrock import types
from antiphon.wires.bedrock.body_draft import MODEL_FIELDS, BodyDraft
from antiphon.wires.bedrock.content_writer import ContentWriter, write_cache_point
from antiphon.wires.bedrock.thinking import write_thinking
from antiphon.wires.bedrock.tools import write_tools
from antiphon.wires.json_text import encode_json, encode_json_text
from antiphon.wires.translation.codec import WrittenRequest
from antiphon.wires.translation.json_schema import fit_schema
from antiphon.wires.translation.media import move_media_to_user
from antiphon.wires.translation.neutral import Request, Text

_SERVICE_TIERS = {
    "default": "default",
    "standard": "default",
    "standard_only": "default",
    "flex": "flex",
    "priority": "priority",
    "reserved": "reserved",
}
_DEFAULT_TIERS = ("", "auto")
_METADATA = re.compile(r"[a-zA-Z0-9\s:_@$#=/+,.-]{0,256}")
_METADATA_LIMIT = 16
_UNSUPPORTED = ("presence_penalty", "frequency_penalty", "logprobs", "top_logprobs")
_ANY_JSON = "Answer with one JSON object and with nothing else: no other text, no code fence."
_SCHEMA_JSON = "It must be valid against this JSON Schema: "


def write_request(request: Request, target: Target) -> WrittenRequest:
    """Return the body for ``target.model``, which the path names; raises as ``Codec.write_request``."""
    if request.n > 1:
        raise BadRequest(f"`n` is {request.n}; the provider of this model gives one answer to a call.", param="n")
    if request.modalities:
        modalities = ", ".join(request.modalities)
        raise BadRequest(f"`modalities` asks for {modalities}, which Converse has no field for.", param="modalities")
    draft = BodyDraft(target.profile)
    _write_messages(draft, request)
    write_tools(draft, request)
    _write_format(draft, request, "no_structured_output" not in target.quirks)
    _write_extras(draft, request)
    _write_inference_config(draft, request, write_thinking(draft, request))
    _write_metadata(draft, request)
    _write_service_tier(draft, request)
    if request.seed is not None:
        draft.drop("seed")
    for name in _UNSUPPORTED:
        if getattr(request, name) is not None:
            draft.drop(name)
    return WrittenRequest(encode_json(draft.body), tuple(draft.dropped))


def _write_messages(draft: BodyDraft, request: Request) -> None:
    writer = ContentWriter(draft)
    for index, message in enumerate(move_media_to_user(request.messages)):
        writer.add(message, f"messages[{index}].content")
    if not writer.messages:
        raise BadRequest("`messages` holds nothing that could be sent.", param="messages")
    draft.body["messages"] = writer.messages
    blocks = [block for text in request.system for block in _write_system(text)] + writer.system
    if blocks:
        draft.body["system"] = blocks


def _write_system(text: Text) -> list[dict[str, Any]]:
    if not text.text.strip():
        return []
    return [{"text": text.text}, *([write_cache_point(text.cache)] if text.cache is not None else ())]


def _write_format(draft: BodyDraft, request: Request, can_enforce: bool) -> None:
    format = request.format
    if format is None:
        return
    supported = (
        fit_schema(format.schema) if format.schema is not None and can_enforce and draft.profile.structured else None
    )
    if supported is not None:
        schema = {"schema": encode_json_text(supported.schema), "name": format.name, "description": format.description}
        structure = {"jsonSchema": {name: value for name, value in schema.items() if value}}
        draft.put("outputConfig.textFormat", {"type": "json_schema", "structure": structure})
        for keyword in supported.unenforced:
            draft.drop(f"format.{keyword}")
        return
    instruction = _ANY_JSON
    if format.schema is not None:
        instruction += f" {_SCHEMA_JSON}{encode_json_text(format.schema)}"
    draft.add_system_text(instruction)
    draft.drop("format")


def _write_extras(draft: BodyDraft, request: Request) -> None:
    for name, value in request.extras.items():
        if name in types.OWN_FIELDS or (name == MODEL_FIELDS and type(value) is dict):
            draft.body[name] = value
        else:
            draft.drop(name)


def _write_inference_config(draft: BodyDraft, request: Request, thinks: bool) -> None:
    profile = draft.profile
    takes_sampling = not thinks and profile.sampling
    config: dict[str, Any] = {}
    if request.max_tokens is not None:
        config["maxTokens"] = request.max_tokens
    temperature, top_p = request.temperature, request.top_p
    if temperature is not None:
        if temperature > 1 or (temperature != 1 and not takes_sampling):
            draft.drop("temperature")
        if takes_sampling:
            config["temperature"] = min(temperature, 1.0)
    if top_p is not None:
        if takes_sampling and (profile.temperature_with_top_p or temperature is None):
            config["topP"] = top_p
        elif top_p != 1:
            draft.drop("top_p")
    if request.top_k is not None:
        if takes_sampling and profile.top_k_path:
            draft.put(profile.top_k_path, request.top_k)
        else:
            draft.drop("top_k")
    if stop := [text for text in request.stop if text]:
        config["stopSequences"] = stop
    if len(stop) < len(request.stop):
        draft.drop("stop")
    if config:
        draft.body["inferenceConfig"] = config


def _write_metadata(draft: BodyDraft, request: Request) -> None:
    """Write ``requestMetadata`` from the entries that Converse allows, and from the user if there is room."""
    entries = request.metadata or {}
    names = [name for name, value in entries.items() if name and _METADATA.fullmatch(name) and _is_metadata(value)]
    metadata = {name: entries[name] for name in names[:_METADATA_LIMIT]}
    if len(metadata) < len(entries):
        draft.drop("metadata")
    if request.user:
        if _is_metadata(request.user) and "user" not in metadata and len(metadata) < _METADATA_LIMIT:
            metadata["user"] = request.user
        else:
            draft.drop("user")
    if metadata:
        draft.body["requestMetadata"] = metadata


def _is_metadata(value: Any) -> bool:
    return type(value) is str and _METADATA.fullmatch(value) is not None


def _write_service_tier(draft: BodyDraft, request: Request) -> None:
    if (tier := _SERVICE_TIERS.get(request.service_tier)) is not None:
        draft.body["serviceTier"] = {"type": tier}
    elif request.service_tier not in _DEFAULT_TIERS:
        draft.drop("service_tier")
