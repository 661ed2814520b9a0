"""Short forms of other requests: a question about an image, embeddings of a named provider."""

import json
from typing import Any

import msgspec

from antiphon.errors import BadRequest
from antiphon.server.request import Request
from antiphon.wires.body import check

_SCHEMES = ("https://", "http://", "data:")
_OWN = frozenset(("prompt", "image_url", "detail"))


async def ask_vision(request: Request) -> None:
    """POST /v1/vision: a chat completion about one image.

    ``image_url`` is passed to the provider unchanged and never fetched here. Every field that is not part of this short
    form goes into the chat completion.
    """
    document = check(await request.read_body())
    for name in ("prompt", "image_url"):
        if not isinstance(document.get(name), str) or not document[name]:
            raise BadRequest(f"`{name}` must be text.", param=name)
    if not document["image_url"][:8].lower().startswith(_SCHEMES):
        raise BadRequest("`image_url` must be an `https:`, `http:` or `data:` URL.", param="image_url")
    if "messages" in document:
        raise BadRequest("`messages` and `prompt` cannot both be given; use /v1/chat/completions.", param="messages")
    image = {"url": document["image_url"]} | ({"detail": document["detail"]} if "detail" in document else {})
    content = [{"type": "text", "text": document["prompt"]}, {"type": "image_url", "image_url": image}]
    rest = {name: value for name, value in document.items() if name not in _OWN}
    await request.send_answer(
        await request.ask("chat", _encode({**rest, "messages": [{"role": "user", "content": content}]}))
    )


async def ask_embeddings(request: Request) -> None:
    """POST /v1/embeddings; a ``provider`` that is text names the provider of ``model`` and is not passed on."""
    body = await request.read_body()
    if b"provider" in body or b"\\u" in body:  # the key may be written with escapes
        document = check(body)
        if isinstance(document.get("provider"), str):
            body = _encode(_name_provider(request, document))
    await request.send_answer(await request.ask("embeddings", body))


def _name_provider(request: Request, document: dict[str, Any]) -> dict[str, Any]:
    provider, model = document.pop("provider"), document.get("model")
    if provider not in request.gateway.runtime.catalog.providers:
        raise BadRequest(f"There is no provider {provider!r} here; GET /v1/providers names them.", param="provider")
    if isinstance(model, str) and model and not model.startswith(f"{provider}/"):
        document["model"] = f"{provider}/{model}"
    return document


def _encode(document: dict[str, Any]) -> bytes:
    try:
        return msgspec.json.encode(document)
    except OverflowError:  # an integer beyond 64 bits
        return json.dumps(document, ensure_ascii=False).encode()
