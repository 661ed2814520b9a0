"""POST /v1/embeddings as a codec (API reference, "Create embeddings").

``input_type``, ``task_type`` and ``task`` state the purpose of the vectors. They are not OpenAI's fields, but many
providers of this wire take one of them.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from antiphon.errors import BadAnswer, BadRequest
from antiphon.types import Target, Usage
from antiphon.wires.checks import DECODE_ERRORS
from antiphon.wires.translation.codec import WrittenRequest
from antiphon.wires.translation.embedding import (
    INPUT_LIMIT,
    EmbedRequest,
    Input,
    Vector,
    check_vector_count,
    decode_vector,
    encode_vector,
    read_task,
)

_IS_BASE64 = {None: False, "float": False, "base64": True}
_READ_FIELDS = frozenset(("model", "input", "dimensions", "encoding_format"))
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
        encoding, dimensions = document.get("encoding_format"), document.get("dimensions")
        if encoding not in _IS_BASE64:
            raise BadRequest("`encoding_format` must be `float` or `base64`.", param="encoding_format")
        if dimensions is not None and dimensions < 1:
            raise BadRequest("`dimensions` must be at least 1.", param="dimensions")
        task_field = next((name for name in _TASK_FIELDS if read_task(document.get(name))), "")
        return EmbedRequest(
            model=model,
            inputs=_read_inputs(document["input"]),
            dimensions=dimensions,
            base64=_IS_BASE64[encoding],
            task=read_task(document.get(task_field)),
            task_field=task_field,
            extras=tuple(name for name in document if name not in _READ_FIELDS and name != task_field),
        )

    def write_request(self, request: EmbedRequest, target: Target) -> list[WrittenRequest]:
        """See :meth:`translation.codec.ProviderCodec.write_request`.

        ``encoding_format`` is left to the target, because some targets reject the field even for their own default.
        """
        body: dict[str, Any] = {"model": request.model, "input": request.inputs}
        if request.dimensions is not None:
            body["dimensions"] = request.dimensions
        return [WrittenRequest(msgspec.json.encode(body), request.list_dropped())]

    def read_reply(self, bodies: Sequence[bytes], request: EmbedRequest) -> list[Vector]:
        (body,) = bodies
        try:
            entries = _decode(body).data
        except DECODE_ERRORS:
            raise BadAnswer("The provider's answer holds no embeddings of this wire.") from None
        entries.sort(key=lambda entry: entry.index)
        vectors = [
            decode_vector(entry.embedding) if isinstance(entry.embedding, str) else entry.embedding for entry in entries
        ]
        return check_vector_count(vectors, len(request.inputs))

    def write_reply(self, reply: list[Vector], request: EmbedRequest, usage: Usage) -> bytes:
        """See :meth:`translation.codec.CallerCodec.write_reply`; each vector is encoded by itself, so that other
        threads get their turn in between."""
        convert: Any = encode_vector if request.base64 else list
        data = b",".join(
            msgspec.json.encode({"object": "embedding", "index": index, "embedding": convert(vector)})
            for index, vector in enumerate(reply)
        )
        tokens = {"prompt_tokens": usage.total_input, "total_tokens": usage.total_input}
        end = msgspec.json.encode({"model": request.model, "usage": tokens})
        return b'{"object":"list","data":[%b],%b' % (data, end[1:])


def _read_inputs(value: str | list[Any]) -> tuple[Input, ...]:
    inputs = [value] if isinstance(value, str) or _is_token_ids(value) else value
    if len(inputs) > INPUT_LIMIT:
        problem = f"`input` has {len(inputs)} entries, and at most {INPUT_LIMIT} go into one request."
        raise BadRequest(problem, param="input")
    return tuple(_read_input(value, f"input[{index}]") for index, value in enumerate(inputs))


def _read_input(value: Any, path: str) -> Input:
    if isinstance(value, str) and value:
        return value
    if isinstance(value, list) and value and _is_token_ids(value):
        return tuple(value)
    raise BadRequest(f"`{path}` must be a text that is not empty, or a list of token ids.", param=path)


def _is_token_ids(value: list[Any]) -> bool:
    return all(type(item) is int for item in value)
