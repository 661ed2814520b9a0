"""Embeddings: POST /v1beta/models/{model}:embedContent and :batchEmbedContents, for targets of this wire.

Source: API reference, "models.embedContent", "models.batchEmbedContents".
"""

from typing import Any

import msgspec

from antiphon.errors import BadAnswer
from antiphon.types import Target
from antiphon.wires import body as bodies
from antiphon.wires.checks import DECODE_ERRORS
from antiphon.wires.gemini import errors, request_types
from antiphon.wires.gemini.passthrough import Operation, rename_model
from antiphon.wires.gemini.reply_types import UNSET
from antiphon.wires.gemini.usage import read_usage
from antiphon.wires.wire import EncodedBody, Envelope, WholeAnswer, count_text_bytes


class EmbedContentRequest(msgspec.Struct, rename="camel", frozen=True):
    """The request to embed one content."""

    content: request_types.Content
    task_type: str = ""
    title: str = ""
    output_dimensionality: int | None = None
    auto_truncate: bool | None = None


class _BatchRequest(msgspec.Struct, frozen=True):
    requests: list[EmbedContentRequest]

    def __post_init__(self) -> None:
        if not self.requests:
            raise ValueError("`requests` must hold at least one request")


class _Answer(msgspec.Struct, rename="camel"):
    embedding: msgspec.Raw | msgspec.UnsetType = UNSET
    embeddings: list[msgspec.Raw] | msgspec.UnsetType = UNSET
    usage_metadata: msgspec.Raw | msgspec.UnsetType = UNSET
    error: Any = None


_decode = msgspec.json.Decoder(_Answer, strict=False).decode
_decode_raws = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_list = msgspec.json.Decoder(list[msgspec.Raw]).decode


class Embed(Operation):
    """One content in, one vector out."""

    operation = "gemini_embed"
    holds = "embedding"

    def check(self, body: bytes, document: dict[str, Any]) -> int:
        self.read_requests(document)
        return 1

    def read_requests(self, document: dict[str, Any]) -> list[EmbedContentRequest]:
        """Return the typed requests of a body; raises :class:`~antiphon.errors.BadRequest`."""
        return [
            request_types.read_lenient_fields(
                flatten_config(request_types.to_standard_form(document)), EmbedContentRequest
            )
        ]

    def read_whole(self, body: bytes) -> WholeAnswer:
        """See :meth:`antiphon.wires.wire.Wire.read_whole`."""
        try:
            answer = _decode(body)
        except DECODE_ERRORS:
            answer = _Answer(error=errors.read_error_message(body))
        if answer.error is not None or getattr(answer, self.holds) is UNSET:
            raise BadAnswer(f"The provider answered without `{self.holds}`: {errors.read_error_message(body)}")
        return WholeAnswer(None if answer.usage_metadata is UNSET else read_usage(bytes(answer.usage_metadata)))

    def count_input_bytes(self, envelope: Envelope) -> int:
        """See :meth:`antiphon.wires.wire.Wire.count_input_bytes`."""
        parts = [part for request in self.read_requests(envelope.document) for part in request.content.parts or ()]
        return sum(count_text_bytes(part.text) for part in parts)


class EmbedBatch(Embed):
    """Many contents in, as many vectors out; each request names the model again."""

    operation = "gemini_embed_batch"
    holds = "embeddings"

    def read_requests(self, document: dict[str, Any]) -> list[EmbedContentRequest]:
        standard = request_types.to_standard_form(document)
        if type(standard.get("requests")) is list:
            standard["requests"] = [flatten_config(request) for request in standard["requests"]]
        return request_types.read_lenient_fields(standard, _BatchRequest).requests

    def encode(self, body: bytes, envelope: Envelope, target: Target) -> EncodedBody:
        """See :meth:`antiphon.wires.wire.Wire.encode`: every request's model is the target's."""
        body = rename_model(body, envelope.document, target)
        requests = list_requests(envelope.document)
        if requests is not envelope.document["requests"]:
            return EncodedBody(
                bodies.replace(body, "requests", rename_model(_find_requests(body), requests[0], target))
            )
        renamed = [
            rename_model(bytes(raw), request, target)
            for raw, request in zip(_split_requests(body), requests, strict=True)
        ]
        if renamed == _split_requests(body):
            return EncodedBody(body)
        return EncodedBody(bodies.replace(body, "requests", b"[" + b",".join(renamed) + b"]"))


def list_requests(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the requests of a batch unchanged; a single request may be sent without its list."""
    requests = document["requests"]
    return requests if type(requests) is list else [requests]


def _find_requests(body: bytes) -> bytes:
    return bytes(_decode_raws(body)["requests"])


def _split_requests(body: bytes) -> list[bytes]:
    return [bytes(raw) for raw in _decode_list(_find_requests(body))]


def flatten_config(request: Any) -> Any:
    """Return a request with the fields of ``embedContentConfig`` at the top level, as older clients send them."""
    if type(request) is not dict or type(request.get("embedContentConfig")) is not dict:
        return request
    return {**request, **request["embedContentConfig"]}
