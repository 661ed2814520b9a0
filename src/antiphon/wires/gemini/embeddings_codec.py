"""embedContent and batchEmbedContents, to and from the neutral form (API reference, "models.batchEmbedContents").

Models after the first generation take no ``taskType``. For them, a prefix of the text names the task, in a form that
the guide ("Embeddings", task types) gives.
"""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from antiphon.errors import BadAnswer, BadRequest
from antiphon.types import Target, Usage
from antiphon.wires.checks import DECODE_ERRORS
from antiphon.wires.gemini import request_types as request_types
from antiphon.wires.gemini.embeddings import Embed, EmbedBatch, EmbedContentRequest, flatten_config, list_requests
from antiphon.wires.json_text import encode_json
from antiphon.wires.translation.codec import WrittenRequest
from antiphon.wires.translation.embedding import (
    INPUT_LIMIT,
    EmbedRequest,
    Vector,
    check_vector_count,
    read_task,
    split_inputs,
)

BATCH_LIMIT = 100
"""Requests in a batch; a larger one is refused with "at most 100 requests can be in one batch"."""
_READ_FIELDS = frozenset(("model", "content", "taskType", "outputDimensionality", "embedContentConfig"))
TASK_TYPES = {
    "query": "RETRIEVAL_QUERY",
    "document": "RETRIEVAL_DOCUMENT",
    "similarity": "SEMANTIC_SIMILARITY",
    "classification": "CLASSIFICATION",
    "clustering": "CLUSTERING",
    "question": "QUESTION_ANSWERING",
    "fact": "FACT_VERIFICATION",
    "code": "CODE_RETRIEVAL_QUERY",
}
_INSTRUCTIONS = {
    "query": "task: search result | query: {}",
    "document": "title: none | text: {}",
    "similarity": "task: sentence similarity | query: {}",
    "classification": "task: classification | query: {}",
    "clustering": "task: clustering | query: {}",
    "question": "task: question answering | query: {}",
    "fact": "task: fact checking | query: {}",
    "code": "task: code retrieval | query: {}",
}
"""Prefixes of a text, for models that take no ``taskType``."""


class _Values(msgspec.Struct):
    values: list[float]


class _SingleAnswer(msgspec.Struct):
    embedding: _Values


class _BatchAnswer(msgspec.Struct):
    embeddings: list[_Values]


_decode_single = msgspec.json.Decoder(_SingleAnswer).decode
_decode_batch = msgspec.json.Decoder(_BatchAnswer).decode


class EmbedCodec:
    """One content, one vector; see :class:`translation.codec.CallerCodec` and ``ProviderCodec``."""

    def read_request(self, document: dict[str, Any], model: str) -> EmbedRequest:
        return _read(Embed().read_requests(document), [document], model)

    def write_request(self, request: EmbedRequest, target: Target) -> list[WrittenRequest]:
        return [WrittenRequest(encode_json(body), request.extras) for body in _write_requests(request, target)]

    def read_reply(self, bodies: Sequence[bytes], request: EmbedRequest) -> list[Vector]:
        return check_vector_count(
            [_decode(_decode_single, body).embedding.values for body in bodies], len(request.inputs)
        )

    def write_reply(self, reply: list[Vector], request: EmbedRequest, usage: Usage) -> bytes:
        return encode_json({"embedding": {"values": reply[0]}, **_write_usage(usage)})


class EmbedBatchCodec(EmbedCodec):
    """Many contents, as many vectors."""

    def read_request(self, document: dict[str, Any], model: str) -> EmbedRequest:
        return _read(EmbedBatch().read_requests(document), list_requests(document), model)

    def write_request(self, request: EmbedRequest, target: Target) -> list[WrittenRequest]:
        requests = [{"model": f"models/{request.model}", **body} for body in _write_requests(request, target)]
        batches = split_inputs(requests, BATCH_LIMIT)
        return [WrittenRequest(encode_json({"requests": batch}), request.extras) for batch in batches]

    def read_reply(self, bodies: Sequence[bytes], request: EmbedRequest) -> list[Vector]:
        vectors = [vector.values for body in bodies for vector in _decode(_decode_batch, body).embeddings]
        return check_vector_count(vectors, len(request.inputs))

    def write_reply(self, reply: list[Vector], request: EmbedRequest, usage: Usage) -> bytes:
        # Each vector is encoded alone, so that the thread can give way between two of them.
        vectors = b",".join(encode_json({"values": vector}) for vector in reply)
        return b'{"embeddings":[%b],%b' % (vectors, encode_json(_write_usage(usage))[1:])


def _read(requests: list[EmbedContentRequest], documents: list[dict[str, Any]], model: str) -> EmbedRequest:
    if len(requests) > INPUT_LIMIT:
        problem = f"`requests` has {len(requests)} entries, and at most {INPUT_LIMIT} go into one call."
        raise BadRequest(problem, param="requests")
    names = {name for document in documents for name in flatten_config(request_types.to_standard_form(document))}
    task_type = _get_common_value([request.task_type for request in requests], "taskType")
    task = read_task(task_type)
    return EmbedRequest(
        model=model,
        inputs=tuple(_read_text(request.content) for request in requests),
        dimensions=_get_common_value([request.output_dimensionality for request in requests], "outputDimensionality"),
        task=task,
        task_field="taskType" if task else "",
        extras=tuple(sorted(names - _READ_FIELDS | ({"taskType"} if task_type and not task else set()))),
    )


def _get_common_value(values: list[Any], field: str) -> Any:
    """Return the value that all requests share, because other wires send one value for the whole batch."""
    if len(set(values)) > 1:
        raise BadRequest(f"`{field}` must be the same in every request for this model.", param=f"requests[].{field}")
    return values[0]


def _read_text(content: request_types.Content) -> str:
    parts = content.parts or []
    text = "\n".join(part.text or "" for part in parts)
    if not text or any(part.text is None for part in parts):
        raise BadRequest("Only text can be embedded by this model; send parts with `text`.", param="content.parts")
    return text


def _write_requests(request: EmbedRequest, target: Target) -> list[Any]:
    task_fields, template = {}, "{}"
    if request.task and target.profile.embedding_task == "field":
        task_fields = {"taskType": TASK_TYPES[request.task]}
    elif request.task:
        template = _INSTRUCTIONS[request.task]
    fields = task_fields if request.dimensions is None else {**task_fields, "outputDimensionality": request.dimensions}
    return [
        {"content": {"parts": [{"text": template.replace("{}", text)}]}, **fields} for text in request.get_texts(target)
    ]


def _decode(decode: Callable[[bytes], Any], body: bytes) -> Any:
    try:
        return decode(body)
    except DECODE_ERRORS:
        raise BadAnswer("The provider's answer holds no embeddings of this wire.") from None


def _write_usage(usage: Usage) -> dict[str, Any]:
    return {"usageMetadata": {"promptTokenCount": usage.total_input, "totalTokenCount": usage.total_input}}
