"""The request for one encoded body of a call."""

from antiphon.engine.call import Call
from antiphon.transport import Request
from antiphon.types import Target
from antiphon.wires.translation.translator import Translator


def make_request(call: Call, target: Target, translator: Translator, body: bytes) -> Request:
    """Return the request for a target; a head that was needed before is not built again."""
    operation = translator.operation
    if call.envelope.stream and f"{operation}.stream" in target.urls:
        operation += ".stream"
    forwarded = call.headers if translator.verbatim else ()
    head = call.services.heads.get(target, operation, translator.provider_wire, forwarded)
    return Request(target.origin, head, body, target.origin)
