"""Embeddings: POST /v1beta/models/{model}:embedContent and :batchEmbedContents, and their way to an OpenAI target.

Sources: API reference, "models.embedContent", "models.batchEmbedContents"; OpenAI's "Create embeddings".
"""

from typing import Any

import msgspec

from antiphon.errors import BadAnswer, BadRequest
from antiphon.types import Target
from antiphon.wires import body as bodies
from antiphon.wires.codec import Written
from antiphon.wires.gemini import failure, fields
from antiphon.wires.gemini.jsontext import dump
from antiphon.wires.gemini.shape import UNSET
from antiphon.wires.gemini.usage import read as read_usage
from antiphon.wires.gemini.wire import Operation, renamed
from antiphon.wires.wire import Encoded, Envelope, Watch, Whole, text_bytes

_TUNING = ("taskType", "title", "autoTruncate")


class EmbedRequest(msgspec.Struct, rename="camel", frozen=True):
    content: fields.Content
    task_type: str = ""
    title: str = ""
    output_dimensionality: int | None = None
    auto_truncate: bool | None = None


class _BatchRequest(msgspec.Struct, frozen=True):
    requests: list[EmbedRequest]

    def __post_init__(self) -> None:
        if not self.requests:
            raise ValueError("`requests` must hold at least one request")


class _Answer(msgspec.Struct, rename="camel"):
    embedding: dict[str, Any] | None = None
    embeddings: list[dict[str, Any]] | None = None
    usage_metadata: msgspec.Raw | msgspec.UnsetType = UNSET
    error: Any = None


class _Vector(msgspec.Struct):
    embedding: list[float]
    index: int = 0


class _Tokens(msgspec.Struct):
    prompt_tokens: int = 0


class _OpenAI(msgspec.Struct):
    data: list[_Vector]
    usage: _Tokens | None = None


_decode = msgspec.json.Decoder(_Answer, strict=False).decode
_decode_raws = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_list = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_openai = msgspec.json.Decoder(_OpenAI).decode


class Embed(Operation):
    """One content in, one vector out."""

    operation = "gemini_embed"
    holds = "embedding"

    def check(self, body: bytes, document: dict[str, Any]) -> int:
        self.requests(document)
        return 1

    def requests(self, document: dict[str, Any]) -> list[EmbedRequest]:
        """Return the typed requests of a body; raises :class:`~antiphon.errors.BadRequest`."""
        return [fields.typed(_flat(fields.canonical(document)), EmbedRequest)]

    def whole(self, body: bytes) -> Whole:
        """See :meth:`antiphon.wires.wire.Wire.whole`."""
        try:
            answer = _decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            answer = _Answer(error=failure.refusal(body))
        if answer.error is not None or getattr(answer, self.holds) is None:
            raise BadAnswer(f"The provider answered without `{self.holds}`: {failure.refusal(body)}")
        return Whole(None if answer.usage_metadata is UNSET else read_usage(bytes(answer.usage_metadata)), 0)

    def watch(self, envelope: Envelope, hides_usage: bool) -> Watch:
        raise NotImplementedError("embeddings do not stream")

    def input_bytes(self, envelope: Envelope) -> int:
        """See :meth:`antiphon.wires.wire.Wire.input_bytes`."""
        parts = [part for request in self.requests(envelope.document) for part in request.content.parts or ()]
        return sum(text_bytes(part.text) for part in parts)

    def write_openai(self, envelope: Envelope, target: Target) -> Written:
        """Return the body for ``POST /v1/embeddings`` of a target that speaks OpenAI's wire.

        Raises :class:`~antiphon.errors.BadRequest` for content that is not text, or dimensions that differ.
        """
        requests = self.requests(envelope.document)
        dimensions = {request.output_dimensionality for request in requests}
        if len(dimensions) > 1:
            problem = "`outputDimensionality` must be the same in every request for this model."
            raise BadRequest(problem, param="requests[].outputDimensionality")
        body: dict[str, Any] = {
            "model": target.model,
            "input": [_text(request.content) for request in requests],
            "encoding_format": "float",
        }
        if (size := dimensions.pop()) is not None:
            body["dimensions"] = size
        named = {key for document in self._documents(envelope.document) for key in _flat(fields.canonical(document))}
        return Written(dump(body), tuple(name for name in _TUNING if name in named))

    def _documents(self, document: dict[str, Any]) -> list[dict[str, Any]]:
        return [document]

    def read_openai(self, body: bytes) -> bytes:
        """Return OpenAI's answer as this wire's; raises :class:`~antiphon.errors.BadAnswer`."""
        try:
            answer = _decode_openai(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise BadAnswer("The provider's answer holds no embeddings as numbers.") from None
        vectors = [{"values": vector.embedding} for vector in sorted(answer.data, key=lambda vector: vector.index)]
        if not vectors:
            raise BadAnswer("The provider's answer holds no embedding.")
        made: dict[str, Any] = {self.holds: self.held(vectors)}
        if answer.usage is not None:
            made["usageMetadata"] = {"promptTokenCount": answer.usage.prompt_tokens}
        return dump(made)

    def held(self, vectors: list[dict[str, Any]]) -> Any:
        return vectors[0]


class EmbedBatch(Embed):
    """Many contents in, as many vectors out; each request names the model again."""

    operation = "gemini_embed_batch"
    holds = "embeddings"

    def requests(self, document: dict[str, Any]) -> list[EmbedRequest]:
        known = fields.canonical(document)
        if type(known.get("requests")) is list:
            known["requests"] = [_flat(request) for request in known["requests"]]
        return fields.typed(known, _BatchRequest).requests

    def encode(self, body: bytes, envelope: Envelope, target: Target) -> Encoded:
        """See :meth:`antiphon.wires.wire.Wire.encode`: every request's model is the target's."""
        body = renamed(body, envelope.document, target)
        requests = self._documents(envelope.document)
        if requests is not envelope.document["requests"]:
            return Encoded(bodies.replace(body, "requests", renamed(_requests(body), requests[0], target)))
        changed = [renamed(bytes(raw), request, target) for raw, request in zip(_each(body), requests, strict=True)]
        if changed == _each(body):
            return Encoded(body)
        return Encoded(bodies.replace(body, "requests", b"[" + b",".join(changed) + b"]"))

    def _documents(self, document: dict[str, Any]) -> list[dict[str, Any]]:
        requests = document["requests"]
        return requests if type(requests) is list else [requests]

    def held(self, vectors: list[dict[str, Any]]) -> Any:
        return vectors


def _requests(body: bytes) -> bytes:
    return bytes(_decode_raws(body)["requests"])


def _each(body: bytes) -> list[bytes]:
    return [bytes(raw) for raw in _decode_list(_requests(body))]


def _flat(request: Any) -> Any:
    """Return a request whose newer ``embedContentConfig`` stands where the older fields do."""
    if type(request) is not dict or type(request.get("embedContentConfig")) is not dict:
        return request
    return {**request, **request["embedContentConfig"]}


def _text(content: fields.Content) -> str:
    parts = content.parts or []
    if not parts or any(part.text is None for part in parts):
        raise BadRequest("Only text can be embedded by this model; send parts with `text`.", param="content.parts")
    return "\n".join(part.text or "" for part in parts)
