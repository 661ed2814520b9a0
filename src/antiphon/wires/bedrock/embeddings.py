"""Embeddings by InvokeModel: each family of models has its own body, and the path names the model.

Sources: Bedrock user guide, "Titan Text Embeddings V2" and "Cohere Embed"; Nova user guide, "Complete embeddings
request and response schema".
"""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from antiphon.errors import BadAnswer
from antiphon.types import Target, Usage
from antiphon.wires.bedrock.passthrough import Converse
from antiphon.wires.checks import DECODE_ERRORS
from antiphon.wires.translation.codec import WrittenRequest
from antiphon.wires.translation.embedding import EmbedRequest, Vector, check_vector_count, split_inputs
from antiphon.wires.wire import WholeAnswer

BATCH_LIMIT = 96
"""Texts in one request to Cohere's models; the others take one."""
_COHERE_TASKS = {"query": "search_query", "classification": "classification", "clustering": "clustering"}
_NOVA_TASKS = {"query": "TEXT_RETRIEVAL", "classification": "CLASSIFICATION", "clustering": "CLUSTERING"}
_encode = msgspec.json.Encoder().encode


class _TitanAnswer(msgspec.Struct, rename="camel"):
    embedding: list[float]
    input_text_token_count: int | None = None


class _NovaVector(msgspec.Struct):
    embedding: list[float]


class _NovaAnswer(msgspec.Struct):
    embeddings: list[_NovaVector]


class _VectorsByType(msgspec.Struct):
    float: list[Vector]


class _CohereAnswer(msgspec.Struct):
    embeddings: _VectorsByType


def _make_decoder(answer_type: type[Any]) -> Callable[[bytes], Any]:
    decode = msgspec.json.Decoder(answer_type).decode

    def decode_answer(body: bytes) -> Any:
        try:
            return decode(body)
        except DECODE_ERRORS:
            raise BadAnswer("The provider's answer holds no embeddings of this model's form.") from None

    return decode_answer


_decode_titan, _decode_nova, _decode_cohere = map(_make_decoder, (_TitanAnswer, _NovaAnswer, _CohereAnswer))


class InvokeNova(Converse):
    """InvokeModel of Nova's models, which do not count tokens; errors are those of Converse."""

    operation = "nova_embed"

    def read_whole(self, body: bytes) -> WholeAnswer:
        """See :meth:`antiphon.wires.wire.Wire.read_whole`."""
        _decode_nova(body)
        return WholeAnswer(None)


class InvokeCohere(Converse):
    """InvokeModel of Cohere's models, which do not count tokens; errors are those of Converse."""

    operation = "cohere_embed"

    def read_whole(self, body: bytes) -> WholeAnswer:
        """See :meth:`antiphon.wires.wire.Wire.read_whole`."""
        _decode_cohere(body)
        return WholeAnswer(None)


class InvokeTitan(Converse):
    """InvokeModel of Titan's models, which count tokens; errors are those of Converse."""

    operation = "titan_embed"

    def read_whole(self, body: bytes) -> WholeAnswer:
        """See :meth:`antiphon.wires.wire.Wire.read_whole`."""
        count = _decode_titan(body).input_text_token_count
        return WholeAnswer(None if count is None or count < 0 else Usage(input=count))


class TitanCodec:
    """One text and one vector per request; no field for the task. See :class:`translation.codec.ProviderCodec`."""

    def write_request(self, request: EmbedRequest, target: Target) -> list[WrittenRequest]:
        size = {} if request.dimensions is None else {"dimensions": request.dimensions}
        dropped = request.list_dropped()
        return [WrittenRequest(_encode({"inputText": text, **size}), dropped) for text in request.get_texts(target)]

    def read_reply(self, bodies: Sequence[bytes], request: EmbedRequest) -> list[Vector]:
        return check_vector_count([_decode_titan(body).embedding for body in bodies], len(request.inputs))


class NovaCodec:
    """One text and one vector per request. See :class:`translation.codec.ProviderCodec`."""

    def write_request(self, request: EmbedRequest, target: Target) -> list[WrittenRequest]:
        params: dict[str, Any] = {"embeddingPurpose": _NOVA_TASKS.get(request.task, "GENERIC_INDEX")}
        if request.dimensions is not None:
            params["embeddingDimension"] = request.dimensions
        written = []
        for text in request.get_texts(target):
            single = {**params, "text": {"truncationMode": "NONE", "value": text}}
            body = _encode({"taskType": "SINGLE_EMBEDDING", "singleEmbeddingParams": single})
            written.append(WrittenRequest(body, request.extras))
        return written

    def read_reply(self, bodies: Sequence[bytes], request: EmbedRequest) -> list[Vector]:
        vectors = [item.embedding for body in bodies for item in _decode_nova(body).embeddings]
        return check_vector_count(vectors, len(request.inputs))


class CohereCodec:
    """Several texts and as many vectors per request. See :class:`translation.codec.ProviderCodec`."""

    def write_request(self, request: EmbedRequest, target: Target) -> list[WrittenRequest]:
        params: dict[str, Any] = {
            "input_type": _COHERE_TASKS.get(request.task, "search_document"),
            "embedding_types": ["float"],
        }
        if request.dimensions is not None:
            params["output_dimension"] = request.dimensions
        batches = split_inputs(request.get_texts(target), BATCH_LIMIT)
        return [WrittenRequest(_encode({"texts": batch, **params}), request.extras) for batch in batches]

    def read_reply(self, bodies: Sequence[bytes], request: EmbedRequest) -> list[Vector]:
        vectors = [vector for body in bodies for vector in _decode_cohere(body).embeddings.float]
        return check_vector_count(vectors, len(request.inputs))
