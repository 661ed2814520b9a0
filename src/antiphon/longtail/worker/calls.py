"""A call in LiteLLM's terms: its function, its arguments, and the secrets among them.

A call names its model and parameters in one header and its key in another. Fields of its body never become LiteLLM's
own parameters: a caller who could set ``api_base`` could send a stored key to a host of theirs.
"""

import base64
import binascii
import json
import re
from typing import Any, NamedTuple

CALL_HEADER = "x-longtail-call"
MESSAGE_LIMIT = 8192

FORCED = {"num_retries": 0, "max_retries": 0, "no-log": True}
"""Parameters of every call, whatever the configuration says."""

_SAMPLING_FIELDS = (
    "frequency_penalty presence_penalty temperature top_p top_k seed stop n logit_bias user stream stream_options"
)
_CHAT_FIELDS = (
    "messages max_tokens max_completion_tokens logprobs top_logprobs tools tool_choice parallel_tool_calls functions"
    " function_call response_format reasoning_effort thinking modalities audio prediction service_tier"
    " web_search_options verbosity safety_identifier prompt_cache_key"
)
_COMPLETION_FIELDS = "prompt best_of echo logprobs max_tokens suffix"


class Operation(NamedTuple):
    """LiteLLM's function for a path and the body's fields it takes; others go into the provider's body unchanged."""

    function: str
    fields: frozenset[str]
    forced: dict[str, Any] = FORCED
    form: bool = False
    """The body is a form with a file. Its other values are text, and LiteLLM can forward no unknown field."""


def _make_operation(function: str, fields: str, form: bool = False, **forced: Any) -> Operation:
    return Operation(function, frozenset(fields.split()), FORCED | forced, form)


OPERATIONS = {
    # A tool of type `mcp` in a caller's body is the provider's to run, never LiteLLM's.
    "/v1/chat/completions": _make_operation(
        "acompletion", f"{_CHAT_FIELDS} {_SAMPLING_FIELDS}", _skip_mcp_handler=True
    ),
    "/v1/completions": _make_operation("atext_completion", f"{_COMPLETION_FIELDS} {_SAMPLING_FIELDS}"),
    "/v1/embeddings": _make_operation("aembedding", "input dimensions encoding_format user"),
    "/v1/rerank": _make_operation(
        "arerank", "query documents top_n rank_fields return_documents max_chunks_per_doc max_tokens_per_doc"
    ),
    "/v1/moderations": _make_operation("amoderation", "input"),
    "/v1/images/generations": _make_operation("aimage_generation", "prompt n quality response_format size style user"),
    "/v1/audio/speech": _make_operation("aspeech", "input voice response_format speed instructions"),
    "/v1/audio/transcriptions": _make_operation(
        "atranscription", "file language prompt response_format temperature timestamp_granularities", form=True
    ),
}
TEXT_FORMATS = ("text", "srt", "vtt")
"""Response formats of a transcription that are not JSON."""
GATEWAY_FIELDS = frozenset(("model",))
"""Fields of a body that are for the gateway only."""
CLASS_NAMES = re.compile(r"^(litellm\.)?\w+(Error|Exception): (\w+Error: )*")
"""The class names that LiteLLM puts before a provider's message; the error's ``code`` holds them already."""
MIN_SECRET_LENGTH = 8
"""Shorter parameters are not covered in messages: they could be common words."""


class RejectedCall(Exception):
    """A call that is not given to LiteLLM."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status_code = status
        self.message = message


class Call:
    """One call: the function's arguments, and the secrets among them."""

    def __init__(self, operation: Operation, headers: Any, body: dict[str, Any]) -> None:
        try:
            target = json.loads(base64.b64decode(headers[CALL_HEADER], validate=True))
            model, params = target["model"], target["params"]
        except (KeyError, ValueError, TypeError, binascii.Error):
            raise RejectedCall(400, f"The header {CALL_HEADER} is missing or not what the gateway writes.") from None
        self.key = headers.get("authorization", "").removeprefix("Bearer ")
        self.stream = body.get("stream") is True
        self.params = params
        fields = {name: value for name, value in body.items() if name in operation.fields and value is not None}
        other = {name: value for name, value in body.items() if name not in operation.fields | GATEWAY_FIELDS}
        if other and operation.form:
            raise RejectedCall(
                400, f"LiteLLM takes no {', '.join(map(repr, sorted(other)))} in this form; leave it out."
            )
        self.arguments: dict[str, Any] = {**params, **fields, **operation.forced, "model": model}
        if self.key:
            self.arguments["api_key"] = self.key
        if other:
            self.arguments["extra_body"] = {**params.get("extra_body", {}), **other}

    def clean_message(self, text: str) -> str:
        """Return a message without LiteLLM's traceback and without any credential of this call."""
        text = CLASS_NAMES.sub("", text.partition("\nTraceback (most recent call last)")[0]).strip()
        for secret in sorted(list_texts(self.params) | {self.key}, key=len, reverse=True):
            if len(secret) >= MIN_SECRET_LENGTH:
                text = text.replace(secret, "…")
        return text[:MESSAGE_LIMIT]


def list_texts(value: Any) -> set[str]:
    """Return every text within a parameter."""
    if isinstance(value, str):
        return {value}
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return set().union(*map(list_texts, inner))
