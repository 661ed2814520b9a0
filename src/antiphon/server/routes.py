"""The route table: method, path, what a caller needs, and the handler. No other path is served."""

from typing import NamedTuple

from antiphon.errors import MethodNotAllowed, NotFound
from antiphon.server.api import cost, generation, health, models, operations, responses, shortcuts
from antiphon.server.policy import METRICS, Needs
from antiphon.server.request import Handler


class Route(NamedTuple):
    """One row. The handler reads the rest of a path that ends in ``{}``. ``GET`` also answers ``HEAD``.

    ``opened_by`` names the setting that opens the route to everybody.
    """

    method: str
    path: bytes
    needs: Needs
    handler: Handler
    opened_by: str = ""


ROUTES = (
    Route("POST", b"/v1/chat/completions", Needs.KEY, generation.make_handler("chat")),
    Route("POST", b"/v1/completions", Needs.KEY, generation.make_handler("completions")),
    Route("POST", b"/v1/embeddings", Needs.KEY, shortcuts.ask_embeddings),
    Route("POST", b"/v1/responses", Needs.KEY, generation.make_handler("responses")),
    Route("POST", b"/v1/responses/input_tokens", Needs.KEY, generation.make_handler("input_tokens")),
    Route("GET", b"/v1/responses/{}", Needs.KEY, responses.show),
    Route("POST", b"/v1/responses/{}", Needs.KEY, responses.act),
    Route("DELETE", b"/v1/responses/{}", Needs.KEY, responses.delete),
    Route("POST", b"/v1/messages", Needs.KEY, generation.make_handler("messages")),
    Route("POST", b"/v1/messages/count_tokens", Needs.KEY, generation.make_handler("count_tokens")),
    Route("POST", b"/v1beta/models/{}", Needs.KEY, generation.handle_gemini_model),
    Route("POST", b"/v1beta/{}", Needs.KEY, generation.handle_gemini),
    Route("POST", b"/v1/models/{}", Needs.KEY, generation.handle_gemini_model),
    Route("POST", b"/model/{}", Needs.KEY, generation.handle_bedrock),
    Route("POST", b"/v1/vision", Needs.KEY, shortcuts.ask_vision),
    Route("POST", b"/v1/cost/estimate", Needs.KEY, cost.estimate_cost),
    *(Route(method, path, Needs.KEY, handler) for method, path, handler in operations.list_handlers()),
    Route("GET", b"/v1/models", Needs.KEY, models.list_models),
    Route("GET", b"/v1/models/{}", Needs.KEY, models.show_model),
    Route("GET", b"/v1beta/models", Needs.KEY, models.list_gemini_models),
    Route("GET", b"/v1beta/models/{}", Needs.KEY, models.show_gemini_model),
    Route("GET", b"/v1/providers", Needs.KEY, models.list_providers),
    Route("GET", b"/metrics", Needs.ADMIN, health.show_metrics, opened_by=METRICS),
    Route("GET", b"/health/live", Needs.NOTHING, health.show_live),
    Route("GET", b"/health/ready", Needs.NOTHING, health.show_ready),
    Route("GET", b"/", Needs.NOTHING, health.show_root),
)

_EXACT = {(route.method, route.path): (route, b"") for route in ROUTES if not route.path.endswith(b"{}")}


def find_route(method: str, path: bytes) -> tuple[Route, bytes]:
    """Return the route for a raw path, and the part of the path that the route leaves open.

    Raises :class:`~antiphon.errors.NotFound` and :class:`~antiphon.errors.MethodNotAllowed`.
    """
    found = _EXACT.get((method, path))
    if found is not None:
        return found
    matching = [(route, rest) for route in ROUTES if (rest := _match(route, path)) is not None]
    closest = max((len(route.path) for route, _ in matching), default=0)
    matching = [(route, rest) for route, rest in matching if len(route.path) == closest]
    for route, rest in matching:
        if method == route.method or (method == "HEAD" and route.method == "GET"):
            return route, rest
    if matching:
        allowed = sorted({method for route, _ in matching for method in _list_methods(route)})
        raise MethodNotAllowed(f"{method} is not allowed here; use {' or '.join(allowed)}.", allowed=allowed)
    shown = path[:100].decode("ascii", "replace")
    raise NotFound(f"There is nothing at {shown}. The API is under /v1, for example /v1/chat/completions.")


def has_route(path: bytes) -> bool:
    """Return whether any method has a route for a raw path."""
    return any(_match(route, path) is not None for route in ROUTES)


def _list_methods(route: Route) -> tuple[str, ...]:
    return ("GET", "HEAD") if route.method == "GET" else (route.method,)


def _match(route: Route, path: bytes) -> bytes | None:
    if not route.path.endswith(b"{}"):
        return b"" if path == route.path else None
    prefix = route.path[:-2]
    return path[len(prefix) :] if path.startswith(prefix) and len(path) > len(prefix) else None
