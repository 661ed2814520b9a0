"""Sending to a target, and the only place that does: a request is made, signed if the target wants that, and sent."""

from collections.abc import Awaitable

from antiphon.engine.call import Call
from antiphon.engine.services import Services
from antiphon.transport import Request, Response
from antiphon.types import Target
from antiphon.wires.translation.translator import Translator


def send_body(call: Call, target: Target, translator: Translator, body: bytes) -> Awaitable[Response]:
    """Send one encoded body of a call; raises as ``Transport.send``."""
    operation, services = translator.operation, call.services
    if call.envelope.stream and f"{operation}.stream" in target.urls:
        operation += ".stream"
    forwarded = call.headers if translator.verbatim else ()
    head = services.heads.get(target, operation, translator.provider_wire, forwarded)
    return send_request(services, target, Request(target.origin, head, body, target.origin))


def send_request(services: Services, target: Target, request: Request) -> Awaitable[Response]:
    """Sign a request where its target wants that, and send it; raises as ``Transport.send``."""
    if target.signing is not None:
        return _sign_and_send(services, target, request)
    return _send(services, target, request)


async def _sign_and_send(services: Services, target: Target, request: Request) -> Response:
    return await _send(services, target, await services.signers.sign(target, request))


def _send(services: Services, target: Target, request: Request) -> Awaitable[Response]:
    return services.transports.get(target.origin.scheme).send(request, target.timeouts.connect)
