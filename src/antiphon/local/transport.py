"""The transport of scheme ``local``: models on this machine behind the same seam as a provider on the network."""

import asyncio
from array import array
from collections.abc import Iterator, Mapping
from sys import byteorder

from antiphon.catalog.local import hash_size
from antiphon.local.answer import LocalResponse, written
from antiphon.local.group import Embedded, Group
from antiphon.local.hashing import MOST_WORDS, HashEmbedder, unit, words
from antiphon.local.request import Asked, Refused, invalid, read
from antiphon.transport.seam import Request

_PATH = b"/v1/embeddings"
_QUICK = 4096
"""Characters that are hashed in the loop, about a millisecond's work; more goes to a thread."""


class LocalTransport:
    """Answers embeddings requests inside the machine; the host of an origin is the provider's name.

    ``local_models`` are, by provider, the names of its models with the folder or the hub's name of each. Every provider
    also has the hashing embedder, as ``hash-<dimensions>``. The models of one provider share one worker process.
    """

    def __init__(self, local_models: Mapping[str, Mapping[str, str]] | None = None) -> None:
        self._models = {name: dict(sources) for name, sources in (local_models or {}).items()}
        self._hashing = HashEmbedder()
        self._groups: dict[str, Group] = {}

    async def send(self, request: Request, connect_timeout: float) -> LocalResponse:
        """Return the whole answer; a refusal is one with an error status and OpenAI's error object."""
        method, path, _ = request.head[: request.head.index(b"\r\n")].split(b" ", 2)
        try:
            if method != b"POST" or path != _PATH:
                problem = f"Local models answer POST {_PATH.decode()} only."
                raise Refused(404, "not_found", problem)
            return LocalResponse(200, await self._answer(request.origin.host, read(request.body)))
        except Refused as refused:
            return LocalResponse.refusal(refused)

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

    async def _answer(self, provider: str, asked: Asked) -> bytes:
        if (size := hash_size(asked.model)) is not None:
            return await self._hashed(asked, size)
        sources = self._models.get(provider, {})
        if (source := sources.get(asked.model)) is None:
            names = ", ".join(f"`{name}`" for name in (*sources, "hash-256"))
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
            if len(found) > MOST_WORDS:
                problem = f"`input[{number}]` has {len(found)} words, and at most {MOST_WORDS} can be read; split it."
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
