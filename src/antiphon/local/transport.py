"""The transport of scheme ``local``: models on this machine behind the same interface as a provider on the network."""

import asyncio
from array import array
from collections.abc import Iterator
from sys import byteorder
from typing import Any

from antiphon.catalog.local import HASH_CONTEXT, MODELS_HEADER, decode_models, parse_hash_size
from antiphon.local.batcher import CallVectors, EmbeddingBatcher
from antiphon.local.hashing import HashEmbedder, normalize, split_words
from antiphon.local.request import EmbeddingRequest, RequestError, make_invalid_request, read_request
from antiphon.local.response import LocalResponse, write_body
from antiphon.transport.interface import Request

_PATH = b"/v1/embeddings"
_MODELS_PREFIX = MODELS_HEADER.encode() + b": "
_MAX_CACHED_PROVIDERS = 256
_INLINE_CHARACTERS = 4096
"""Characters that are hashed in the event loop, about a millisecond's work; longer texts go to a thread."""


class LocalTransport:
    """Answers embeddings requests on this machine; the host of an origin is the provider's name.

    A request names the provider's models in a header, see :mod:`antiphon.catalog.local`. Every provider also has the
    hashing embedder, as ``hash-<dimensions>``. The models of one provider share one worker process.
    """

    def __init__(self) -> None:
        self._hashing = HashEmbedder()
        self._batchers: dict[str, EmbeddingBatcher] = {}
        self._models: dict[bytes, dict[str, str]] = {}

    async def send(self, request: Request, connect_timeout: float) -> LocalResponse:
        """Return the complete response; a rejected request gets an error status and OpenAI's error object."""
        line, *fields = request.head.split(b"\r\n")
        method, path, _ = line.split(b" ", 2)
        try:
            if method != b"POST" or path != _PATH:
                problem = f"Local models answer POST {_PATH.decode()} only."
                raise RequestError(404, "not_found", problem)
            provider, embedding = request.origin.host, read_request(request.body)
            if (size := parse_hash_size(embedding.model)) is not None:
                body = await self._embed_by_hash(embedding, size)
            else:
                body = await self._embed_by_model(provider, embedding, self._read_models(fields))
            return LocalResponse(200, body)
        except RequestError as error:
            return LocalResponse.from_error(error)

    def read_health(self) -> dict[str, Any]:
        """Return the state of each called provider's worker: its process, if one runs, and the waiting calls."""
        return {provider: batcher.describe() for provider, batcher in self._batchers.items()}

    async def close(self) -> None:
        """End every worker."""
        batchers, self._batchers = self._batchers, {}
        for batcher in batchers.values():
            await batcher.close()

    def get_batcher(self, provider: str) -> EmbeddingBatcher:
        """Return the queue and worker of a provider's models."""
        if provider not in self._batchers:
            self._batchers[provider] = EmbeddingBatcher()
        return self._batchers[provider]

    def _read_models(self, fields: list[bytes]) -> dict[str, str]:
        """Return the sources of the provider's models by name; each provider's header value is decoded once."""
        value = next((field[len(_MODELS_PREFIX) :] for field in fields if field.startswith(_MODELS_PREFIX)), b"")
        models = self._models.get(value)
        if models is None:
            if len(self._models) >= _MAX_CACHED_PROVIDERS:
                self._models.clear()
            models = self._models[value] = decode_models(value)
        return models

    async def _embed_by_model(self, provider: str, request: EmbeddingRequest, models: dict[str, str]) -> bytes:
        if (source := models.get(request.model)) is None:
            names = ", ".join(f"`{name}`" for name in (*models, "hash-256"))
            problem = f"The local provider `{provider}` has no model `{request.model}`; it has {names}."
            raise RequestError(404, "model_not_found", f"{problem} Add others to its `models`.", param="model")
        vectors = await self.get_batcher(provider).embed(source, request.texts)
        return await write_body(request, _shorten(request, vectors), vectors.tokens)

    async def _embed_by_hash(self, request: EmbeddingRequest, size: int) -> bytes:
        dimensions = request.dimensions or size
        if dimensions > size:
            problem = f"`{request.model}` has {size} dimensions, so it cannot give {dimensions}."
            raise make_invalid_request(problem, "dimensions")
        if sum(map(len, request.texts)) <= _INLINE_CHARACTERS:
            vectors, tokens = self._hash(request.texts, dimensions)
        else:
            vectors, tokens = await asyncio.to_thread(self._hash, request.texts, dimensions)
        return await write_body(request, vectors, tokens)

    def _hash(self, texts: list[str], size: int) -> tuple[list["array[float]"], int]:
        vectors, tokens = [], 0
        for number, text in enumerate(texts):
            words = split_words(text)
            if len(words) > HASH_CONTEXT:
                problem = f"`input[{number}]` has {len(words)} words; at most {HASH_CONTEXT} can be read. Split it."
                raise make_invalid_request(problem, "input", "context_length_exceeded")
            vectors.append(self._hashing.embed(words, size))
            tokens += len(words)
        return vectors, tokens


def _shorten(request: EmbeddingRequest, vectors: CallVectors) -> Iterator["array[float]"]:
    """Return each text's vector in the requested size; raises :class:`RequestError` if the model lacks that size."""
    size, dimensions = vectors.size, request.dimensions or vectors.size
    sizes = vectors.shorter_sizes
    if dimensions != size and (dimensions > size or (sizes is not None and dimensions not in sizes)):
        supported = f"1 to {size}" if sizes is None else " or ".join(str(each) for each in sorted({*sizes, size}))
        problem = f"`{request.model}` has vectors of {supported} dimensions, not {dimensions}."
        raise make_invalid_request(problem, "dimensions")
    numbers = array("f", bytes(vectors.vectors))
    if byteorder == "big":
        numbers.byteswap()
    rows = (numbers[start : start + dimensions] for start in range(0, len(numbers), size))
    return rows if dimensions == size else map(normalize, rows)
