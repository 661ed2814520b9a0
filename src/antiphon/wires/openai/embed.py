"""POST /v1/embeddings, to and from the family's own form (API reference, "Create embeddings").

``input_type``, ``task_type`` and ``task`` are no fields of OpenAI's, but of many who speak its wire: they say what the
vectors are for, and are understood.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from antiphon.errors import BadAnswer, BadRequest
from antiphon.types import Target, Usage
from antiphon.wires.translation.codec import WrittenRequest
from antiphon.wires.translation.embedding import (
    MOST_INPUTS,
    EmbedRequest,
    Input,
    Vector,
    counted,
    packed,
    task_of,
    unpacked,
)

_FORMATS = {None: False, "float": False, "base64": True}
_READ = frozenset(("model", "input", "dimensions", "encoding_format"))
_TASK_FIELDS = ("input_type", "task_type", "task")


class _Entry(msgspec.Struct):
    embedding: list[float] | str
    index: int = 0


class _Answer(msgspec.Struct):
    data: list[_Entry]


_decode = msgspec.json.Decoder(_Answer).decode


class EmbeddingsCodec:
    """See :class:`translation.codec.CallerCodec` and :class:`translation.codec.ProviderCodec`."""

    def read_request(self, document: dict[str, Any], model: str) -> EmbedRequest:
        if (form := document.get("encoding_format")) not in _FORMATS:
            raise BadRequest("`encoding_format` must be `float` or `base64`.", param="encoding_format")
        if (size := document.get("dimensions")) is not None and size < 1:
            raise BadRequest("`dimensions` must be at least 1.", param="dimensions")
        field = next((name for name in _TASK_FIELDS if task_of(document.get(name))), "")
        return EmbedRequest(
            model=model,
            inputs=_inputs(document["input"]),
            dimensions=size,
            base64=_FORMATS[form],
            task=task_of(document.get(field)),
            task_field=field,
            extras=tuple(name for name in document if name not in _READ and name != field),
        )

    def write_request(self, request: EmbedRequest, target: Target) -> list[WrittenRequest]:
        """See :meth:`translation.codec.ProviderCodec.write_request`; how the vectors are encoded is left to the target,
        because some refuse to be asked for what they do anyhow."""
        body: dict[str, Any] = {"model": request.model, "input": request.inputs}
        if request.dimensions is not None:
            body["dimensions"] = request.dimensions
        return [WrittenRequest(msgspec.json.encode(body), request.untold())]

    def read_reply(self, bodies: Sequence[bytes], request: EmbedRequest) -> list[Vector]:
        (body,) = bodies
        try:
            entries = _decode(body).data
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise BadAnswer("The provider's answer holds no embeddings of this wire.") from None
        ordered = sorted(entries, key=lambda entry: entry.index)
        vectors = [unpacked(each.embedding) if isinstance(each.embedding, str) else each.embedding for each in ordered]
        return counted(vectors, len(request.inputs))

    def write_reply(self, reply: list[Vector], request: EmbedRequest, usage: Usage) -> bytes:
        """See :meth:`translation.codec.CallerCodec.write_reply`; each vector by itself, so that a thread can pause."""
        shown: Any = packed if request.base64 else list
        data = b",".join(
            msgspec.json.encode({"object": "embedding", "index": place, "embedding": shown(vector)})
            for place, vector in enumerate(reply)
        )
        tokens = {"prompt_tokens": usage.total_input, "total_tokens": usage.total_input}
        rest = msgspec.json.encode({"model": request.model, "usage": tokens})
        return b'{"object":"list","data":[%b],%b' % (data, rest[1:])


def _inputs(value: str | list[Any]) -> tuple[Input, ...]:
    given = [value] if isinstance(value, str) or _ids(value) else value
    if len(given) > MOST_INPUTS:
        problem = f"`input` has {len(given)} entries, and at most {MOST_INPUTS} go into one request."
        raise BadRequest(problem, param="input")
    return tuple(_input(each, f"input[{number}]") for number, each in enumerate(given))


def _input(value: Any, where: str) -> Input:
    if isinstance(value, str) and value:
        return value
    if isinstance(value, list) and value and _ids(value):
        return tuple(value)
    raise BadRequest(f"`{where}` must be a text that is not empty, or a list of token ids.", param=where)


def _ids(value: list[Any]) -> bool:
    return all(type(each) is int for each in value)
