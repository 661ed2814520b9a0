"""Embeddings through Vertex AI's ``predict``, the method of its models before ``gemini-embedding-2`` (Vertex AI
reference, "Text embeddings API")."""

from collections.abc import Sequence
from typing import Any

import msgspec

from antiphon.errors import BadAnswer
from antiphon.types import Target, Usage
from antiphon.wires.checks import DECODE_ERRORS
from antiphon.wires.gemini import errors
from antiphon.wires.gemini.embeddings import Embed
from antiphon.wires.gemini.embeddings_codec import TASK_TYPES
from antiphon.wires.json_text import encode_json
from antiphon.wires.translation.codec import WrittenRequest
from antiphon.wires.translation.embedding import EmbedRequest, Vector, check_vector_count, split_inputs
from antiphon.wires.wire import WholeAnswer

BATCH_LIMIT = 8
"""Texts in one request: at the maximum of 2,048 tokens each, they stay within the 20,000 that a request may have."""


class _Statistics(msgspec.Struct):
    token_count: float | None = None


class _Embedding(msgspec.Struct):
    values: Vector
    statistics: _Statistics | None = None


class _Prediction(msgspec.Struct):
    embeddings: _Embedding


class _Answer(msgspec.Struct):
    predictions: list[_Prediction]


_decode = msgspec.json.Decoder(_Answer).decode
_LIMIT = 1_000_000_000
"""More tokens than any one call can have; a larger count is a fault of the provider."""


class Predict(Embed):
    """Reads the answers of a target; errors have the shape of this wire."""

    operation = "vertex_predict"

    def read_whole(self, body: bytes) -> WholeAnswer:
        """See :meth:`antiphon.wires.wire.Wire.read_whole`."""
        statistics = [prediction.embeddings.statistics or _Statistics() for prediction in _read(body).predictions]
        counts = [entry.token_count for entry in statistics if entry.token_count is not None]
        is_valid = counts and len(counts) == len(statistics) and min(counts) >= 0 and sum(counts) <= _LIMIT
        return WholeAnswer(Usage(input=int(sum(counts))) if is_valid else None)


class PredictCodec:
    """See :class:`translation.codec.ProviderCodec`."""

    def write_request(self, request: EmbedRequest, target: Target) -> list[WrittenRequest]:
        task_fields = {"task_type": TASK_TYPES[request.task]} if request.task else {}
        parameters: dict[str, Any] = {}
        if request.dimensions is not None:
            parameters["parameters"] = {"outputDimensionality": request.dimensions}
        instances = [{"content": text, **task_fields} for text in request.get_texts(target)]
        batches = split_inputs(instances, target.profile.embedding_batch or BATCH_LIMIT)
        return [WrittenRequest(encode_json({"instances": batch, **parameters}), request.extras) for batch in batches]

    def read_reply(self, bodies: Sequence[bytes], request: EmbedRequest) -> list[Vector]:
        return check_vector_count(
            [prediction.embeddings.values for body in bodies for prediction in _read(body).predictions],
            len(request.inputs),
        )


def _read(body: bytes) -> _Answer:
    try:
        return _decode(body)
    except DECODE_ERRORS:
        raise BadAnswer(f"The provider answered without `predictions`: {errors.read_error_message(body)}") from None
