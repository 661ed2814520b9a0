"""Estimates what a call would cost from its counts and the current price: exact, or unknown if the price is."""

from typing import Any

import msgspec

from antiphon.engine.response_headers import format_dollars
from antiphon.errors import BadRequest, Forbidden
from antiphon.server.errors import Headers
from antiphon.server.request import Request
from antiphon.types import BUCKETS, COUNTS, UNITS, Price, Usage
from antiphon.wires.body import check
from antiphon.wires.wire import read_service_tier

UNKNOWN = "unknown"
_MOST = 10**12
_COUNTS = {f"{bucket}_tokens": bucket for bucket in BUCKETS} | {unit: unit for unit in UNITS}
"""Request field to the count that it states."""
_FIELDS = {name: field for field, name in _COUNTS.items()}
_JSON: Headers = [(b"content-type", b"application/json")]


async def estimate_cost(request: Request) -> None:
    """POST /v1/cost/estimate with ``model``, ``service_tier`` and counts (``input_tokens``, ``images``, …)."""
    document = check(await request.read_body())
    name, usage = _read_model(document), _read_usage(document)
    model = request.gateway.runtime.catalog.resolve(name)
    if not request.caller.may_use(name):
        raise Forbidden("This key may not use that model.", code="model_not_allowed", param="model")
    target = model.targets[0]
    given = [name for name in COUNTS if _FIELDS[name] in document]
    answer = {"object": "cost.estimate", "model": name, "target": target.name, "currency": "USD"}
    answer |= _price(target.price, usage, given)
    await request.answer(200, _JSON, msgspec.json.encode(answer))


def _price(price: Price | None, usage: Usage, given: list[str]) -> dict[str, Any]:
    total = price.compute_cost(usage) if price is not None else None if any(usage.counts) else 0
    version = price.version if price is not None else UNKNOWN
    in_force = price.in_force(usage) if price is not None else None
    buckets, units = {}, {}
    for name in given:
        count, each = getattr(usage, name), getattr(in_force, name, None)
        amount = _format_amount(0 if not count else None if each is None else each * count)
        if name in UNITS:
            units[name] = {"count": count, "dollars_each": _format_amount(each), "cost": amount}
        else:
            million = _format_amount(None if each is None else each * 10**6)
            buckets[name] = {"tokens": count, "dollars_per_million": million, "cost": amount}
    return {"cost": _format_amount(total), "price_version": version, "buckets": buckets, "units": units}


def _format_amount(picodollars: int | None) -> str:
    return UNKNOWN if picodollars is None else format_dollars(picodollars)


def _read_model(document: dict[str, Any]) -> str:
    name = document.get("model")
    if not isinstance(name, str) or not name:
        raise BadRequest("`model` must be the name of a model.", param="model")
    return name


def _read_usage(document: dict[str, Any]) -> Usage:
    """Read the counts. An unknown field is refused, because its tokens would be missing from the estimate."""
    for field in document:
        if field not in _COUNTS and field not in ("model", "service_tier"):
            known = ", ".join(_COUNTS)
            raise BadRequest(f"`{field[:64]}` is not a known field; the counts are: {known}.", param=field[:64])
    counts = {name: document[field] for field, name in _COUNTS.items() if field in document}
    if not counts:
        raise BadRequest("There are no counts; give `input_tokens`, `output_tokens` or both.", param="input_tokens")
    for name, count in counts.items():
        if type(count) is not int or not 0 <= count <= _MOST:
            field = _FIELDS[name]
            raise BadRequest(f"`{field}` must be a whole number from 0 to {_MOST}.", param=field)
    tier = document.get("service_tier", "")
    if type(tier) is not str:
        raise BadRequest("`service_tier` must be a word, such as `flex`.", param="service_tier")
    return Usage(**counts, service_tier=read_service_tier(tier))
