"""The handlers that list models, in the format of the client that asks, and the providers behind them."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeAlias
from urllib.parse import parse_qs, unquote_to_bytes

import msgspec

from antiphon.catalog import Catalog
from antiphon.errors import BadRequest, Forbidden, MethodNotAllowed, ModelNotFound
from antiphon.server.errors import Headers
from antiphon.server.request import Request
from antiphon.server.wire_detection import GEMINI_METHODS, detect_client
from antiphon.types import Caller

Entry: TypeAlias = dict[str, Any]
Query: TypeAlias = dict[str, list[str]]

_JSON: Headers = [(b"content-type", b"application/json")]
_PAGE_LIMIT = 1000


async def list_models(request: Request) -> None:
    """GET /v1/models: the models that this key may use, optionally of one ``provider``, in the client's format."""
    await _list(request, detect_client(request.exchange.fields))


async def show_model(request: Request) -> None:
    """GET /v1/models/{model}."""
    await _show(request, detect_client(request.exchange.fields))


async def list_gemini_models(request: Request) -> None:
    """GET /v1beta/models."""
    await _list(request, "generate")


async def show_gemini_model(request: Request) -> None:
    """GET /v1beta/models/{model}."""
    await _show(request, "generate")


async def _list(request: Request, client: str) -> None:
    catalog, caller, query = request.gateway.runtime.catalog, request.caller, parse_query(request)
    entries = [entry for entry in catalog.list_models() if caller.may_use(entry["id"])]
    if (provider := read_single(query, "provider")) is not None:
        if provider not in _list_providers_for(catalog, caller):
            raise BadRequest(f"There is no provider {provider!r} here; GET /v1/providers names them.", param="provider")
        entries = [entry for entry in entries if entry["owned_by"] == provider]
    page = _SHAPES[client].page(entries, query)
    await request.answer(200, _JSON, msgspec.json.encode(page))


async def _show(request: Request, client: str) -> None:
    if request.argument.endswith(GEMINI_METHODS):
        raise MethodNotAllowed("Call a model with POST.", allowed=("POST",))
    name = unquote_to_bytes(request.argument).decode("utf-8", "replace")
    catalog = request.gateway.runtime.catalog
    entry = catalog.describe_model(name)
    if not request.caller.may_use(name):
        raise Forbidden("This key may not use that model.", code="model_not_allowed", param="model")
    await request.answer(200, _JSON, msgspec.json.encode(_SHAPES[client].one(entry)))


async def list_providers(request: Request) -> None:
    """GET /v1/providers: the providers behind the models that this key may use, without their credentials."""
    catalog = request.gateway.runtime.catalog
    shown = _list_providers_for(catalog, request.caller)
    listed = [
        {
            "name": provider.name,
            "object": "provider",
            "kind": provider.kind.name,
            "title": provider.kind.title,
            "base_url": provider.base_url,
            "features": list(provider.kind.features),
            "operations": sorted(name for name in provider.make_target("").urls if "." not in name),
            "key_needed": provider.kind.key == "required",
            "key_set": provider.key_state in ("set", "renewed"),
        }
        for provider in catalog.providers.values()
        if provider.name in shown
    ]
    await request.answer(200, _JSON, msgspec.json.encode({"object": "list", "data": listed}))


def parse_query(request: Request) -> Query:
    """Return the query's fields."""
    return parse_qs(request.exchange.head.query.decode("latin-1"), keep_blank_values=True)


def read_single(query: Query, name: str) -> str | None:
    """Return the value of a query field; raises :class:`~antiphon.errors.BadRequest` if it occurs twice."""
    values = query.get(name, ())
    if len(values) > 1:
        raise BadRequest(f"`{name}` occurs {len(values)} times in the query; send it once.", param=name)
    return values[0] if values else None


def read_number(query: Query, name: str, default: int, *, least: int = 1) -> int:
    """Return a query field as a number of at least ``least``; raises :class:`~antiphon.errors.BadRequest`."""
    text = read_single(query, name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) >= least):
        raise BadRequest(f"`{name}` must be a number of at least {least}.", param=name)
    return int(text)


def _list_providers_for(catalog: Catalog, caller: Caller) -> set[str]:
    if not caller.models:
        return set(catalog.providers)
    found = set()
    for name in caller.models:
        try:
            found |= {target.provider for target in catalog.resolve(name).targets}
        except ModelNotFound:  # a key may name models that no longer exist
            continue
    return found


# -- shapes -----------------------------------------------------------------------------------------------------------


class Shape(NamedTuple):
    """The format in which one wire's clients expect models."""

    page: Callable[[list[Entry], Query], Any]
    one: Callable[[Entry], Any]


def _write_openai_page(entries: list[Entry], query: Query) -> Any:
    return {"object": "list", "data": entries}


def _write_openai_model(entry: Entry) -> Any:
    return entry


def _write_anthropic_page(entries: list[Entry], query: Query) -> Any:
    """Write a page (API reference, "List models"); every listed model is active."""
    limit = read_number(query, "limit", 20)
    if limit > _PAGE_LIMIT:
        raise BadRequest(f"`limit` must be from 1 to {_PAGE_LIMIT}.", param="limit")
    if "active" not in query.get("lifecycle", query.get("lifecycle[]", ["active"])):
        entries = []
    after, before = read_single(query, "after_id"), read_single(query, "before_id")
    if after is not None and before is not None:
        raise BadRequest("`after_id` and `before_id` cannot both be given.", param="before_id")
    start = 0 if after is None else _index(entries, after, "after_id") + 1
    end = len(entries) if before is None else _index(entries, before, "before_id")
    shown = entries[max(start, end - limit) : end] if before is not None else entries[start : start + limit]
    return {
        "data": [_write_anthropic_model(entry) for entry in shown],
        "has_more": end - start > limit,
        "first_id": shown[0]["id"] if shown else None,
        "last_id": shown[-1]["id"] if shown else None,
    }


def _write_anthropic_model(entry: Entry) -> Any:
    return {
        "type": "model",
        "id": entry["id"],
        "display_name": entry["id"],
        "created_at": datetime.fromtimestamp(entry["created"], UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "lifecycle": "active",
        "deprecated_at": None,
        "line": None,
        "capabilities": None,
        "max_input_tokens": entry.get("context"),
        "max_tokens": entry.get("max_output"),
    }


def _write_gemini_page(entries: list[Entry], query: Query) -> Any:
    """Write a page (API reference, "models.list"); as there, a page size over the maximum is the maximum."""
    size = min(read_number(query, "pageSize", 50), _PAGE_LIMIT)
    token = read_single(query, "pageToken")
    start = _index(entries, token, "pageToken") + 1 if token else 0
    shown = entries[start : start + size]
    page: dict[str, Any] = {"models": [_write_gemini_model(entry) for entry in shown]}
    if start + size < len(entries):
        page["nextPageToken"] = shown[-1]["id"]
    return page


def _write_gemini_model(entry: Entry) -> Any:
    limits = {"inputTokenLimit": entry.get("context"), "outputTokenLimit": entry.get("max_output")}
    return {
        "name": f"models/{entry['id']}",
        "baseModelId": entry["id"],
        "version": "",
        "displayName": entry["id"],
        **{name: limit for name, limit in limits.items() if limit is not None},
        "supportedGenerationMethods": list(_METHODS.get(entry.get("operation", "chat"), ())),
    }


_METHODS = {
    "chat": ("generateContent", "countTokens"),
    "embeddings": ("embedContent", "batchEmbedContents"),
}
"""Operation of a model to the methods with which Gemini's clients call it."""

_SHAPES = {
    "chat": Shape(_write_openai_page, _write_openai_model),
    "messages": Shape(_write_anthropic_page, _write_anthropic_model),
    "generate": Shape(_write_gemini_page, _write_gemini_model),
}


def _index(entries: list[Entry], name: str, param: str) -> int:
    for i, entry in enumerate(entries):
        if entry["id"] == name:
            return i
    raise BadRequest(f"`{param}` names no model of this list: {name!r}.", param=param)
