"""Embeddings by InvokeModel: each family of models has a body of its own, and the model stands in the path.

Sources: Bedrock user guide, "Titan Text Embeddings V2" and "Cohere Embed"; Nova user guide, "Complete embeddings
request and response schema".
"""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from antiphon.errors import BadAnswer
from antiphon.types import Target, Usage
from antiphon.wires.bedrock.wire import Converse
from antiphon.wires.translation.codec import WrittenRequest
from antiphon.wires.translation.embedding import EmbedRequest, Vector, counted, split
from antiphon.wires.wire import WholeAnswer

MOST_TOGETHER = 96
"""Texts in one request to Cohere's models; the others take one."""
_INPUT_TYPES = {"query": "search_query", "classification": "classification", "clustering": "clustering"}
_PURPOSES = {"query": "TEXT_RETRIEVAL", "classification": "CLASSIFICATION", "clustering": "CLUSTERING"}
_encode = msgspec.json.Encoder().encode


class _Titan(msgspec.Struct, rename="camel"):
    embedding: list[float]
    input_text_token_count: int | None = None


class _Nova(msgspec.Struct):
    embeddings: list["_NovaVector"]


class _NovaVector(msgspec.Struct):
    embedding: list[float]


class _ByType(msgspec.Struct):
    float: list[Vector]


class _Cohere(msgspec.Struct):
    embeddings: _ByType


def _decoding(shape: type[Any]) -> Callable[[bytes], Any]:
    decode = msgspec.json.Decoder(shape).decode

    def read(body: bytes) -> Any:
        try:
            return decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise BadAnswer("The provider's answer holds no embeddings of this model's form.") from None

    return read


_titan, _nova, _cohere = _decoding(_Titan), _decoding(_Nova), _decoding(_Cohere)


class InvokeNova(Converse):
    """What a target that is asked so answers; errors are those of Converse, and tokens are not counted."""

    operation = "nova_embed"

    def read_whole(self, body: bytes) -> WholeAnswer:
        """See :meth:`antiphon.wires.wire.Wire.read_whole`."""
        _nova(body)
        return WholeAnswer(None, 0)


class InvokeCohere(Converse):
    """The same, of Cohere's models."""

    operation = "cohere_embed"

    def read_whole(self, body: bytes) -> WholeAnswer:
        """See :meth:`antiphon.wires.wire.Wire.read_whole`."""
        _cohere(body)
        return WholeAnswer(None, 0)


class InvokeTitan(Converse):
    """The same, of Titan's models, which count their tokens."""

    operation = "titan_embed"

    def read_whole(self, body: bytes) -> WholeAnswer:
        """See :meth:`antiphon.wires.wire.Wire.read_whole`."""
        count = _titan(body).input_text_token_count
        return WholeAnswer(None if count is None or count < 0 else Usage(input=count), 0)


class TitanCodec:
    """One text, one vector; what it is for cannot be said. See :class:`translation.codec.ProviderCodec`."""

    def write_request(self, request: EmbedRequest, target: Target) -> list[WrittenRequest]:
        size = {} if request.dimensions is None else {"dimensions": request.dimensions}
        return [
            WrittenRequest(_encode({"inputText": text, **size}), request.untold()) for text in request.texts(target)
        ]

    def read_reply(self, bodies: Sequence[bytes], request: EmbedRequest) -> list[Vector]:
        return counted([_titan(body).embedding for body in bodies], len(request.inputs))


class NovaCodec:
    """One text, one vector. See :class:`translation.codec.ProviderCodec`."""

    def write_request(self, request: EmbedRequest, target: Target) -> list[WrittenRequest]:
        params: dict[str, Any] = {"embeddingPurpose": _PURPOSES.get(request.task, "GENERIC_INDEX")}
        if request.dimensions is not None:
            params["embeddingDimension"] = request.dimensions
        return [
            WrittenRequest(
                _encode(_single({**params, "text": {"truncationMode": "NONE", "value": text}})), request.extras
            )
            for text in request.texts(target)
        ]

    def read_reply(self, bodies: Sequence[bytes], request: EmbedRequest) -> list[Vector]:
        return counted([each.embedding for body in bodies for each in _nova(body).embeddings], len(request.inputs))


class CohereCodec:
    """Some texts, as many vectors. See :class:`translation.codec.ProviderCodec`."""

    def write_request(self, request: EmbedRequest, target: Target) -> list[WrittenRequest]:
        how: dict[str, Any] = {
            "input_type": _INPUT_TYPES.get(request.task, "search_document"),
            "embedding_types": ["float"],
        }
        if request.dimensions is not None:
            how["output_dimension"] = request.dimensions
        batches = split(request.texts(target), MOST_TOGETHER)
        return [WrittenRequest(_encode({"texts": batch, **how}), request.extras) for batch in batches]

    def read_reply(self, bodies: Sequence[bytes], request: EmbedRequest) -> list[Vector]:
        return counted([vector for body in bodies for vector in _cohere(body).embeddings.float], len(request.inputs))


def _single(params: dict[str, Any]) -> dict[str, Any]:
    return {"taskType": "SINGLE_EMBEDDING", "singleEmbeddingParams": params}
