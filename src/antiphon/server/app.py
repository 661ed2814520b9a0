"""The application of the HTTP server: finds the route, authorizes the caller, runs the handler, makes errors answers.

Paths are compared as the bytes that arrived. Nothing is decoded or normalised, so the route that was authorized is the
route that runs.
"""

import logging
from collections.abc import Sequence

from antiphon.errors import CallError, Forbidden, Unauthorized, Unavailable
from antiphon.runtime import Runtime
from antiphon.server import auth
from antiphon.server.errors import make_error_answer
from antiphon.server.http.exchange import Exchange
from antiphon.server.phase import Phase
from antiphon.server.policy import Needs, find_needs
from antiphon.server.prefixes import Prefixes
from antiphon.server.request import Request
from antiphon.server.routes import Route, find_route
from antiphon.server.wire_detection import detect_wire
from antiphon.types import Caller
from antiphon.wires import Wire

logger = logging.getLogger("antiphon.server")


class Gateway:
    """The application over one runtime; the server process sets ``phase``."""

    def __init__(self, runtime: Runtime, *, open_to_all: bool = False, prefixes: Sequence[str] = ()) -> None:
        self.runtime = runtime
        self.phase = Phase.STARTING
        self._open = open_to_all
        self._prefixes = Prefixes(prefixes)
        self._find = self._prefixes.find if prefixes else find_route

    async def __call__(self, exchange: Exchange) -> None:
        """Answer one request; raises only cancellation and failures after the answer has started."""
        try:
            route, argument = self._find(exchange.method, exchange.head.path)
            await route.handler(Request(self, exchange, self._authorize(route, exchange), argument))
        except CallError as error:
            if exchange.started:
                raise
            if not error.call_id and self.phase is not Phase.STARTING:
                self.runtime.services.telemetry.refuse(error.code)
            await exchange.answer(*make_error_answer(error, self._detect_wire(exchange)))
        except Exception:
            if exchange.started:
                raise
            failure = CallError("The gateway failed. The cause is in its log.")
            answer = make_error_answer(failure, self._detect_wire(exchange))
            logger.exception("The gateway failed on %s %s (%s)", exchange.method, exchange.head.path, failure.call_id)
            await exchange.answer(*answer)

    def _detect_wire(self, exchange: Exchange) -> Wire:
        return detect_wire(self._prefixes.strip_prefix(exchange.head.path), exchange.fields)

    def _authorize(self, route: Route, exchange: Exchange) -> Caller:
        """Return the caller; raises :class:`~antiphon.errors.CallError` if it does not have what the route needs."""
        fields, needs = exchange.fields, route.needs
        if route.opened_by:
            needs = find_needs(needs, route.opened_by, self.runtime.services.settings)
        if self._open:
            auth.check_local(fields, exchange.connection.local_port)
        if needs is Needs.NOTHING:
            return auth.OPEN
        token = auth.read_credential(fields, exchange.head.query)
        if self.phase is Phase.STARTING:
            raise Unavailable("The gateway is starting.", retry_after=1.0)
        if self._open:
            return auth.OPEN
        keys = self.runtime.keys
        if keys is None:
            raise Unauthorized("This gateway has no keys, because it runs without a data directory.")
        caller = keys.lookup(token)
        if needs is Needs.ADMIN and not caller.admin:
            raise Forbidden(
                "This needs an admin key, and the key of this request is not one.", code="admin_key_required"
            )
        return caller
