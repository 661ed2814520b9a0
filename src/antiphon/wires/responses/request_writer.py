"""Writes the neutral form as a Responses request (API reference, "Create a model response")."""

from typing import Any

from antiphon.errors import BadRequest
from antiphon.types import Target
from antiphon.wires.json_text import encode_json
from antiphon.wires.responses.content import is_native
from antiphon.wires.responses.encrypted_content import WIRE
from antiphon.wires.responses.input_writer import write_items
from antiphon.wires.responses.request_reader import ENCRYPTED_REASONING, LOGPROBS
from antiphon.wires.responses.tools import IMAGE_TOOL, write_choice, write_tools
from antiphon.wires.translation.codec import WrittenRequest
from antiphon.wires.translation.dropped_annotations import list_dropped_annotations
from antiphon.wires.translation.neutral import Request, Thinking
from antiphon.wires.translation.pseudonym import SHORT, pseudonymize

_EXTRAS: dict[str, type] = {
    "background": bool,
    "context_management": list,
    "include": list,
    "max_tool_calls": int,
    "moderation": dict,
    "prompt_cache_key": str,
    "prompt_cache_options": dict,
    "prompt_cache_retention": str,
    "safety_identifier": str,
    "store": bool,
    "truncation": str,
}
"""Fields without a neutral form that mean the same here as on the caller's wire, and the type they must have."""
_UNSUPPORTED = ("stop", "seed", "top_k", "presence_penalty", "frequency_penalty")
"""Sampling parameters that this wire lacks; they are dropped, because they do not change the meaning of the request."""
_EFFORTS = ((2048, "low"), (8192, "medium"))
"""Limits of thinking budgets in tokens, and the effort for a budget below each; any larger budget is high."""


def write_request(request: Request, target: Target) -> WrittenRequest:
    """See :meth:`translation.codec.Codec.write_request`."""
    if request.n > 1:
        problem = "`n` must be 1 for an OpenAI Responses target, which gives one answer to a request."
        raise BadRequest(problem, param="n")
    dropped = [name for name in _UNSUPPORTED if getattr(request, name) not in (None, ())]
    body: dict[str, Any] = {"model": target.model, "input": write_items(request.messages)}
    if request.system:
        body["instructions"] = "\n\n".join(text.text for text in request.system)
    _write_tools(request, body)
    _write_modalities(request, body)
    _write_sampling(request, body)
    text = _write_text(request)
    if text:
        body["text"] = text
    _write_reasoning(request, body, dropped)
    _write_extras(request, body, dropped)
    dropped += list_dropped_annotations(request, is_native)
    if any(message.name for message in request.messages):
        dropped.append("name")
    if not request.extras.get("background"):  # a background response must be stored
        body.setdefault("store", False)  # the caller did not ask this provider to store anything
    return WrittenRequest(encode_json(body), tuple(dropped))


def _write_tools(request: Request, body: dict[str, Any]) -> None:
    if request.tools:
        body["tools"] = write_tools(request.tools)
    if request.tool_choice is not None and request.tools:
        body["tool_choice"] = write_choice(request.tool_choice, request.tools)
    if request.parallel_tool_calls is not None:
        body["parallel_tool_calls"] = request.parallel_tool_calls


def _write_modalities(request: Request, body: dict[str, Any]) -> None:
    """Ask for images, which models of this wire make with a tool. They do not make audio."""
    if "audio" in request.modalities:
        problem = "`modalities` asks for audio, which an OpenAI Responses target does not make."
        raise BadRequest(problem, param="modalities")
    if "image" in request.modalities:
        body["tools"] = [*body.get("tools", ()), {"type": IMAGE_TOOL}]


def _write_sampling(request: Request, body: dict[str, Any]) -> None:
    fields = {
        "max_output_tokens": request.max_tokens,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "metadata": request.metadata,
        "user": pseudonymize(request.user, SHORT) if request.user else None,
        "service_tier": request.service_tier or None,
        "stream": request.stream or None,
    }
    body.update((name, value) for name, value in fields.items() if value is not None)
    if request.logprobs:
        body["include"] = [LOGPROBS]
        if request.top_logprobs is not None:
            body["top_logprobs"] = request.top_logprobs


def _write_text(request: Request) -> dict[str, Any]:
    text: dict[str, Any] = {}
    format = request.format
    if format is not None and format.kind == "json":
        text["format"] = {"type": "json_object"}
    elif format is not None:
        text["format"] = {"type": "json_schema", "name": format.name or "answer", "schema": format.schema or {}}
        if format.strict is not None:
            text["format"]["strict"] = format.strict
        if format.description:
            text["format"]["description"] = format.description
    if verbosity := request.extras.get("verbosity"):
        text["verbosity"] = verbosity
    return text


def _write_reasoning(request: Request, body: dict[str, Any], dropped: list[str]) -> None:
    """Write how much to think, and ask for encrypted thinking if the model may think.

    Models that do not reason reject a request for encrypted content, so only a request about reasoning asks for it.
    """
    reasoning, wants_encrypted = request.reasoning, False
    if reasoning is not None and reasoning.budget == 0:
        dropped.append("reasoning")  # there is no effort that turns thinking off for every model
    elif reasoning is not None:
        if reasoning.adaptive and not reasoning.effort and reasoning.budget is None:
            dropped.append("reasoning")  # on this wire, only the model decides whether it thinks
        fields_sent = {
            "effort": reasoning.effort or _choose_effort(reasoning.budget),
            "summary": reasoning.summary or None,
        }
        fields_sent |= {
            name.removeprefix("reasoning."): value
            for name, value in request.extras.items()
            if name.startswith("reasoning.")
        }
        if fields := {name: value for name, value in fields_sent.items() if value is not None}:
            body["reasoning"] = fields
        wants_encrypted = reasoning.effort != "none"
    if wants_encrypted or any(_is_own_thinking(part) for message in request.messages for part in message.parts):
        body["include"] = [*body.get("include", ()), ENCRYPTED_REASONING]


def _choose_effort(budget: int | None) -> str | None:
    if budget is None or budget < 0:
        return None
    return next((effort for limit, effort in _EFFORTS if budget < limit), "high")


def _is_own_thinking(part: Any) -> bool:
    return isinstance(part, Thinking) and part.wire == WIRE and bool(part.signature)


def _write_extras(request: Request, body: dict[str, Any], dropped: list[str]) -> None:
    for name, value in request.extras.items():
        kind = _EXTRAS.get(name)
        if name == "include" and isinstance(value, list):
            body["include"] = [*body.get("include", ()), *value]
        elif kind is not None and type(value) is kind:
            body[name] = value
        elif name != "verbosity" and not (name.startswith("reasoning.") and request.reasoning is not None):
            dropped.append(name)
