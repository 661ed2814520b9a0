"""A call as LiteLLM takes it: which function, which arguments, and what must not be shown of them.

A call names its model and parameters in one header and its key in another. Fields of its body never reach LiteLLM's own
parameters: a caller who could set ``api_base`` could send a stored key to a host of theirs.
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

_SAMPLING = (
    "frequency_penalty presence_penalty temperature top_p top_k seed stop n logit_bias user stream stream_options"
)
_CHAT = (
    "messages max_tokens max_completion_tokens logprobs top_logprobs tools tool_choice parallel_tool_calls functions"
    " function_call response_format reasoning_effort thinking modalities audio prediction service_tier"
    " web_search_options verbosity safety_identifier prompt_cache_key"
)
_TEXT = "prompt best_of echo logprobs max_tokens suffix"


class Operation(NamedTuple):
    """LiteLLM's function for a path, and the body's fields it takes; others go into the provider's body as they are."""

    function: str
    fields: frozenset[str]
    forced: dict[str, Any] = FORCED
    form: bool = False
    """The body is a form with a file; what stands in it beside is text, and LiteLLM can pass no other field on."""


def _operation(function: str, fields: str, form: bool = False, **forced: Any) -> Operation:
    return Operation(function, frozenset(fields.split()), FORCED | forced, form)


OPERATIONS = {
    # A tool of type `mcp` in a caller's body is the provider's to run, never LiteLLM's.
    "/v1/chat/completions": _operation("acompletion", f"{_CHAT} {_SAMPLING}", _skip_mcp_handler=True),
    "/v1/completions": _operation("atext_completion", f"{_TEXT} {_SAMPLING}"),
    "/v1/embeddings": _operation("aembedding", "input dimensions encoding_format user"),
    "/v1/rerank": _operation(
        "arerank", "query documents top_n rank_fields return_documents max_chunks_per_doc max_tokens_per_doc"
    ),
    "/v1/moderations": _operation("amoderation", "input"),
    "/v1/images/generations": _operation("aimage_generation", "prompt n quality response_format size style user"),
    "/v1/audio/speech": _operation("aspeech", "input voice response_format speed instructions"),
    "/v1/audio/transcriptions": _operation(
        "atranscription", "file language prompt response_format temperature timestamp_granularities", form=True
    ),
}
TEXTS = ("text", "srt", "vtt")
"""Forms of a transcription that are no JSON."""
OWN_FIELDS = frozenset(("model",))
"""What stands in a body for the gateway only."""
OWN_WORDS = re.compile(r"^(litellm\.)?\w+(Error|Exception): (\w+Error: )*")
"""What LiteLLM puts before a provider's message: class names, which are the error's ``code`` already."""


class Refused(Exception):
    """A call that LiteLLM is not asked."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status_code = status
        self.message = message


class Call:
    """One call: the function's arguments, and what must not be shown of them."""

    def __init__(self, operation: Operation, headers: Any, body: dict[str, Any]) -> None:
        try:
            told = json.loads(base64.b64decode(headers[CALL_HEADER], validate=True))
            model, params = told["model"], told["params"]
        except (KeyError, ValueError, TypeError, binascii.Error):
            raise Refused(400, f"The header {CALL_HEADER} is missing or not what the gateway writes.") from None
        self.key = headers.get("authorization", "").removeprefix("Bearer ")
        self.stream = body.get("stream") is True
        self.params = params
        fields = {name: value for name, value in body.items() if name in operation.fields and value is not None}
        other = {name: value for name, value in body.items() if name not in operation.fields | OWN_FIELDS}
        if other and operation.form:
            raise Refused(400, f"LiteLLM takes no {', '.join(map(repr, sorted(other)))} in this form; leave it out.")
        self.arguments: dict[str, Any] = {**params, **fields, **operation.forced, "model": model}
        if self.key:
            self.arguments["api_key"] = self.key
        if other:
            self.arguments["extra_body"] = {**params.get("extra_body", {}), **other}

    def clean(self, text: str) -> str:
        """Return a message without LiteLLM's traceback and without any credential of this call."""
        text = OWN_WORDS.sub("", text.partition("\nTraceback (most recent call last)")[0]).strip()
        for secret in sorted(secrets(self.params) | {self.key}, key=len, reverse=True):
            if len(secret) >= 8:
                text = text.replace(secret, "…")
        return text[:MESSAGE_LIMIT]


def secrets(value: Any) -> set[str]:
    """Return every text within a parameter."""
    if isinstance(value, str):
        return {value}
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return set().union(*map(secrets, inner))
