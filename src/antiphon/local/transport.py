"""The transport of scheme ``local``: models on this machine behind the same seam as a provider on the network."""

import asyncio
from array import array
from collections.abc import Iterator
from sys import byteorder
from typing import Any

from antiphon.catalog.local import HASH_CONTEXT, MODELS_HEADER, decode_models, parse_hash_size
from antiphon.local.response import LocalResponse, written
from antiphon.local.batcher import Embedded, Group
from antiphon.local.hashing import HashEmbedder, unit, words
from antiphon.local.request import Asked, Refused, invalid, read
from antiphon.transport.seam import Request

_PATH = b"/v1/embeddings"
_MODELS = MODELS_HEADER.encode() + b": "
_PROVIDERS_KNOWN = 256
_QUICK = 4096
"""Characters that are hashed in the loop, about a millisecond's work; more goes to a thread."""


class LocalTransport:
    """Answers embeddings requests inside the machine; the host of an origin is the provider's name.

    A request names the provider's models in a header, see :mod:`antiphon.catalog.local`. Every provider also has the
    hashing embedder, as ``hash-<dimensions>``. The models of one provider share one worker process.
    """

    def __init__(self) -> None:
        self._hashing = HashEmbedder()
        self._groups: dict[str, Group] = {}
        self._sources: dict[bytes, dict[str, str]] = {}

    async def send(self, request: Request, connect_timeout: float) -> LocalResponse:
        """Return the whole answer; a refusal is one with an error status and OpenAI's error object."""
        line, *fields = request.head.split(b"\r\n")
        method, path, _ = line.split(b" ", 2)
        try:
            if method != b"POST" or path != _PATH:
                problem = f"Local models answer POST {_PATH.decode()} only."
                raise Refused(404, "not_found", problem)
            provider, asked = request.origin.host, read(request.body)
            if (size := parse_hash_size(asked.model)) is not None:
                body = await self._hashed(asked, size)
            else:
                body = await self._embedded(provider, asked, self._models(fields))
            return LocalResponse(200, body)
        except Refused as refused:
            return LocalResponse.refusal(refused)

    def health(self) -> dict[str, Any]:
        """Return the worker of each provider that has been called: its process, if one runs, and who waits for it."""
        return {provider: group.health() for provider, group in self._groups.items()}

    async def close(self) -> None:
        """End every worker."""
        groups, self._groups = self._groups, {}
        for group in groups.values():
            await group.close()

    def group(self, provider: str) -> Group:
        """Return the queue and worker of a provider's models."""
        if provider not in self._groups:
            self._groups[provider] = Group()
        return self._groups[provider]

    def _models(self, fields: list[bytes]) -> dict[str, str]:
        """Return the provider's models by name; requests of one provider carry the same bytes, which are read once."""
        value = next((field[len(_MODELS) :] for field in fields if field.startswith(_MODELS)), b"")
        models = self._sources.get(value)
        if models is None:
            if len(self._sources) >= _PROVIDERS_KNOWN:
                self._sources.clear()
            models = self._sources[value] = decode_models(value)
        return models

    async def _embedded(self, provider: str, asked: Asked, models: dict[str, str]) -> bytes:
        if (source := models.get(asked.model)) is None:
            names = ", ".join(f"`{name}`" for name in (*models, "hash-256"))
            problem = f"The local provider `{provider}` has no model `{asked.model}`; it has {names}."
            raise Refused(404, "model_not_found", f"{problem} Others go into its `models`.", param="model")
        embedded = await self.group(provider).embed(source, asked.texts)
        return await written(asked, _cut(asked, embedded), embedded.tokens)

    async def _hashed(self, asked: Asked, size: int) -> bytes:
        wanted = asked.dimensions or size
        if wanted > size:
            raise invalid(f"`{asked.model}` has {size} dimensions, so that {wanted} cannot be had.", "dimensions")
        if sum(map(len, asked.texts)) <= _QUICK:
            vectors, tokens = self._hash(asked.texts, wanted)
        else:
            vectors, tokens = await asyncio.to_thread(self._hash, asked.texts, wanted)
        return await written(asked, vectors, tokens)

    def _hash(self, texts: list[str], size: int) -> tuple[list["array[float]"], int]:
        vectors, tokens = [], 0
        for number, text in enumerate(texts):
            found = words(text)
            if len(found) > HASH_CONTEXT:
                problem = f"`input[{number}]` has {len(found)} words, and at most {HASH_CONTEXT} can be read; split it."
                raise invalid(problem, "input", "context_length_exceeded")
            vectors.append(self._hashing.embed(found, size))
            tokens += len(found)
        return vectors, tokens


def _cut(asked: Asked, embedded: Embedded) -> Iterator["array[float]"]:
    """Return each text's vector, of the length that was asked for; raises :class:`Refused` where it cannot be had."""
    size, wanted = embedded.size, asked.dimensions or embedded.size
    sizes = embedded.shorter
    if wanted != size and (wanted > size or (sizes is not None and wanted not in sizes)):
        can = f"1 to {size}" if sizes is None else " or ".join(str(each) for each in sorted({*sizes, size}))
        raise invalid(f"`{asked.model}` has vectors of {can} dimensions, not {wanted}.", "dimensions")
    numbers = array("f", bytes(embedded.vectors))
    if byteorder == "big":
        numbers.byteswap()
    rows = (numbers[start : start + wanted] for start in range(0, len(numbers), size))
    return rows if wanted == size else map(unit, rows)
