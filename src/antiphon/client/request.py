"""The arguments of a call written as a request body. Parameters keep their names, whether they are known or not."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Literal, TypeAlias

import msgspec

from antiphon.client.view import View
from antiphon.errors import BadRequest

Messages: TypeAlias = str | Sequence[Mapping[str, Any] | View]
"""One user message as text, or messages in OpenAI's form, which can include messages of an earlier reply. A ``content``
that is a JSON object is sent as its JSON text."""

EmbeddingInput: TypeAlias = str | Sequence[str] | Sequence[int] | Sequence[Sequence[int]]
"""A text, texts, tokens, or lists of tokens."""

Encoding: TypeAlias = Literal["float", "base64"]


def write_chat_body(
    model: str, messages: Messages, system: str | None, params: Mapping[str, Any], *, stream: bool = False
) -> bytes:
    """Return the body of a chat call; raises ``TypeError`` for arguments that belong elsewhere."""
    if "stream" in params:
        raise TypeError("chat() answers whole and stream() in pieces; leave out the 'stream' parameter")
    body: dict[str, Any] = {"model": model, "messages": _write_messages(messages, system)}
    if stream:
        body["stream"] = True
        body["stream_options"] = {"include_usage": True}
    if params:
        body.update(params)
    return encode(body)


def write_embeddings_body(
    model: str, texts: EmbeddingInput, dimensions: int | None, encoding: Encoding, params: Mapping[str, Any]
) -> bytes:
    """Return the body of an embeddings call."""
    body: dict[str, Any] = {"model": model, "input": texts, "encoding_format": encoding}
    if dimensions is not None:
        body["dimensions"] = dimensions
    body.update(params)
    return encode(body)


def _write_messages(messages: Messages, system: str | None) -> list[Any]:
    if isinstance(messages, str):
        written = [{"role": "user", "content": messages}]
    elif type(messages) is list or _is_message_list(messages):
        written = [_write_message(message) for message in messages]
    else:
        raise TypeError(f"messages must be a text or a list of messages, not {type(messages).__name__}")
    return written if system is None else [{"role": "system", "content": system}, *written]


def _is_message_list(messages: object) -> bool:
    return isinstance(messages, Iterable) and not isinstance(messages, (Mapping, bytes))


def _write_message(message: Any) -> Any:
    """Return a message whose content any wire can carry: a JSON object becomes its JSON text."""
    if type(message) is dict and type(message.get("content")) is str:  # the usual message, without slower checks
        return message
    content = message.get("content") if isinstance(message, Mapping) else None
    return {**message, "content": encode(dict(content)).decode()} if isinstance(content, Mapping) else message


def _convert(value: Any) -> Any:
    if isinstance(value, View):
        return value.json()
    dump = getattr(value, "model_dump", None)  # OpenAI's own message types are Pydantic models
    if dump is not None:
        return dump(mode="json", exclude_unset=True)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Collection):
        return list(value)
    raise TypeError(f"a parameter holds {type(value).__name__}, which JSON cannot carry; convert it first")


_encode = msgspec.json.Encoder(enc_hook=_convert).encode


def encode(body: dict[str, Any]) -> bytes:
    """Return a body as JSON; raises ``TypeError`` for a value JSON cannot carry, ``BadRequest`` for invalid text."""
    try:
        return _encode(body)
    except UnicodeEncodeError as error:
        raise BadRequest(f"A text of the call is not valid Unicode ({error.reason}); remove lone surrogates.") from None
