"""What a call would cost, from its counts of tokens and the price in force; exact, and unknown where the price is."""

from typing import TYPE_CHECKING, Any

import msgspec

from antiphon.engine.pipeline import dollars
from antiphon.errors import BadRequest, Forbidden
from antiphon.server.envelope import Headers
from antiphon.types import BUCKETS, Price, Usage
from antiphon.wires.body import check

if TYPE_CHECKING:
    from antiphon.server.routes import Request

UNKNOWN = "unknown"
_MOST = 10**12
_COUNTS = {f"{bucket}_tokens": bucket for bucket in BUCKETS}
_JSON: Headers = [(b"content-type", b"application/json")]


async def cost(request: "Request") -> None:
    """POST /v1/cost/estimate: ``model`` and counts by bucket (``input_tokens``, ``output_tokens``, …)."""
    document = check(await request.body())
    name, usage = _model(document), _usage(document)
    model = request.gateway.runtime.catalog.resolve(name)
    if not request.caller.may_use(name):
        raise Forbidden("This key may not use that model.", code="model_not_allowed", param="model")
    target = model.targets[0]
    given = [bucket for field, bucket in _COUNTS.items() if field in document]
    answer = {"object": "cost.estimate", "model": name, "target": target.name, "currency": "USD"}
    answer |= _priced(target.price, usage, given)
    await request.answer(200, _JSON, msgspec.json.encode(answer))


def _priced(price: Price | None, usage: Usage, given: list[str]) -> dict[str, Any]:
    while price is not None and price.long is not None and usage.total_input > (price.long_from or 0):
        price = price.long
    buckets = {}
    for bucket in given:
        count, each = getattr(usage, bucket), getattr(price, bucket, None)
        buckets[bucket] = {
            "tokens": count,
            "dollars_per_million": _shown(None if each is None else each * 10**6),
            "cost": _shown(0 if not count else None if each is None else each * count),
        }
    total = price.cost(usage) if price is not None else None if usage.total else 0
    version = price.version if price is not None else UNKNOWN
    return {"cost": _shown(total), "price_version": version, "buckets": buckets}


def _shown(picodollars: int | None) -> str:
    return UNKNOWN if picodollars is None else dollars(picodollars)


def _model(document: dict[str, Any]) -> str:
    name = document.get("model")
    if not isinstance(name, str) or not name:
        raise BadRequest("`model` must be the name of a model.", param="model")
    return name


def _usage(document: dict[str, Any]) -> Usage:
    """Read the counts; a field that is none of them would be tokens that nobody priced."""
    for field in document:
        if field != "model" and field not in _COUNTS:
            known = ", ".join(_COUNTS)
            raise BadRequest(f"`{field[:64]}` is not known here; counts are: {known}.", param=field[:64])
    counts = {bucket: document[field] for field, bucket in _COUNTS.items() if field in document}
    if not counts:
        raise BadRequest("Nothing is counted; give `input_tokens`, `output_tokens` or both.", param="input_tokens")
    for bucket, count in counts.items():
        if type(count) is not int or not 0 <= count <= _MOST:
            field = f"{bucket}_tokens"
            raise BadRequest(f"`{field}` must be a whole number from 0 to {_MOST}.", param=field)
    return Usage(**counts)
