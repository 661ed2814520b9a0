"""Sending to a target, and the only place that does: a request is made, signed if the target wants that, and sent."""

from antiphon.engine.call import Call
from antiphon.engine.services import Services
from antiphon.transport import Request, Response
from antiphon.types import Target
from antiphon.wires.translation.translator import Translator


async def send_body(call: Call, target: Target, translator: Translator, body: bytes) -> Response:
    """Send one encoded body of a call; raises as ``Transport.send``."""
    operation, services = translator.operation, call.services
    if call.envelope.stream and f"{operation}.stream" in target.urls:
        operation += ".stream"
    forwarded = call.headers if translator.verbatim else ()
    head = services.heads.get(target, operation, translator.provider_wire, forwarded)
    return await send_request(services, target, Request(target.origin, head, body, target.origin))


async def send_request(services: Services, target: Target, request: Request) -> Response:
    """Sign a request where its target wants that, and send it; raises as ``Transport.send``."""
    if target.signing is not None:
        request = await services.signers.sign(target, request)
    return await services.transports.get(target.origin.scheme).send(request, target.timeouts.connect)
