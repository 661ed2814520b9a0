"""The procedure of calls whose body passes unread: the operations of the table, and what lies below their paths."""

import asyncio

import msgspec
from msgspec import structs

from antiphon import routing
from antiphon.catalog.operations import Operation
from antiphon.engine.answer_reader import ANSWER_LIMIT, commit_whole, read_events, read_raw
from antiphon.engine.call import AttemptContext, Call
from antiphon.engine.outcome import Committed
from antiphon.engine.request_head import write_head
from antiphon.engine.response_headers import find_header
from antiphon.engine.sending import send_request
from antiphon.engine.services import Services
from antiphon.engine.upload import Upload
from antiphon.engine.upstream import SSE
from antiphon.engine.upstream_errors import make_error_from_response
from antiphon.errors import BadRequest, Forbidden, ModelNotFound, SlowRequest
from antiphon.transport import Request, Response
from antiphon.types import Model, Outcome, Target, Tier, Usage
from antiphon.wires.operations import OperationWire, get_generation_wire
from antiphon.wires.translation.passthrough import Passthrough, RawPassthrough
from antiphon.wires.translation.translator import EncodedRequest
from antiphon.wires.wire import Envelope

NO_CONTENT = 204
_EVENTS = SSE.encode()
_READ_TYPES = (b"application/json", b"text/html")
"""Types of answers that are read as a whole; a page of HTML is read too, and found to be no answer."""


class OperationRequest(msgspec.Struct, frozen=True, eq=False):
    """What a caller asks of an operation. ``upload`` holds the body where it is passed on as it comes.

    ``below`` follows the operation's path and ``query`` follows that. ``provider`` names the account, for operations
    that name no model. ``client`` is the operation whose clients send what ``headers`` holds.
    """

    row: Operation
    method: str = "POST"
    body: bytes = b""
    upload: Upload | None = None
    content_type: bytes = b""
    below: str = ""
    query: str = ""
    provider: str = ""
    client: str = "chat"
    headers: tuple[tuple[bytes, bytes], ...] = ()


class OperationCall:
    """See :class:`antiphon.engine.call.Procedure`."""

    __slots__ = ("_request", "_wire", "names_model")

    def __init__(self, request: OperationRequest, wire: OperationWire) -> None:
        self.names_model = request.row.model
        self._request = request
        self._wire = wire

    def resolve(self, call: Call) -> Model:
        if self.names_model:
            return call.services.catalog.resolve(call.envelope.model)
        if call.caller.models:
            raise Forbidden(
                f"This key is for some models only; {call.operation} are of a whole account, whose models it could "
                "reach.",
                code="operation_not_allowed",
            )
        return Model("", (Tier((find_account(call.services, self._request),)),))

    def filter_able(self, call: Call, model: Model) -> Model | None:
        operation = call.operation
        return routing.filter_targets(model, lambda target: operation in target.urls)

    async def exchange(self, attempt: AttemptContext) -> Committed:
        return await exchange_operation(attempt, self._request)

    def can_move(self) -> bool:
        upload = self._request.upload
        return upload is None or not upload.is_started

    def estimate_usage(self, call: Call, output_bytes: int) -> Usage | None:
        return self._wire.estimate_request_usage(call.envelope)

    def is_free(self, call: Call, target: Target | None, outcome: Outcome) -> bool:
        row = self._request.row
        has_no_price = target is not None and target.price is not None and target.price.free
        return has_no_price or row.free or self._request.method != "POST" or outcome is Outcome.ERROR


async def exchange_operation(
    attempt: AttemptContext, request: OperationRequest, *, reads_whole: bool = False
) -> Committed:
    """Pass a request on and its answer back; ``reads_whole`` reads every answer that is no stream, of any type."""
    call, target = attempt.call, attempt.target
    translator = Passthrough(call.wire, call.envelope)
    sent = _make_request(attempt, request, translator)
    attempt.sent = True
    response = await send_request(call.services, target, sent)
    try:
        if not 200 <= response.status < 300:
            raise await make_error_from_response(response, translator.provider_wire, True)
        return await _read_answer(attempt, request.row, response, translator, reads_whole)
    except BaseException:
        response.close()
        raise


async def _read_answer(
    attempt: AttemptContext, row: Operation, response: Response, translator: Passthrough, reads_whole: bool
) -> Committed:
    encoded = EncodedRequest(())
    content_type = find_header(response.headers, b"content-type").lower() or b"application/json"
    if content_type.startswith(_EVENTS):
        return await read_events(attempt, response, translator, encoded)
    if response.status == NO_CONTENT:
        response.close()
        return commit_whole(attempt, response.status, response.headers, translator, encoded, b"", None)
    if reads_whole or (row.model and (not row.bytes or content_type.startswith(_READ_TYPES))):
        attempt.extend(attempt.target.timeouts.idle)
        answer, body = translator.decode_whole((await response.read(ANSWER_LIMIT),))
        return commit_whole(attempt, response.status, response.headers, translator, encoded, body, answer.usage)
    # Only the end of such an answer is known. An account may answer with nothing; a model may not.
    raw = RawPassthrough(attempt.call.wire, attempt.call.envelope, may_be_empty=not row.model)
    return await read_raw(attempt, response, raw, encoded)


def _make_request(attempt: AttemptContext, request: OperationRequest, translator: Passthrough) -> Request:
    call, target = attempt.call, attempt.target
    path, _, query = target.urls[call.operation].partition("?")
    query = "&".join(part for part in (query, request.query) if part)
    path = f"{path}{request.below}?{query}" if query else path + request.below
    own = get_generation_wire(target)
    forwarded = tuple(pair for pair in request.headers if pair[0] in own.forwarded_headers)
    head = write_head(request.method, path, target, own, forwarded, content_type=request.content_type)
    if request.upload is not None:
        patience = target.timeouts.first_output
        source = request.upload.start(target.model, lambda: attempt.extend(patience))
        return Request(target.origin, head, b"", target.origin, source, request.upload.count_bytes(target.model))
    body = translator.encode_request(call.body, target).bodies[0] if request.row.model else call.body
    return Request(target.origin, head, body, target.origin)


async def read_envelope(services: Services, request: OperationRequest, wire: OperationWire) -> Envelope:
    """Return what the engine needs of a request; reads an upload up to the model's name.

    Raises :class:`~antiphon.errors.CallError`.
    """
    if not request.row.model:
        return Envelope("", False, False, 1, {})
    if request.upload is not None:
        return wire.make_envelope(await _read_model(services, request.upload))
    envelope = wire.peek(request.body)
    if envelope.document.get("model") is not None:
        return envelope
    return structs.replace(envelope, model=_find_default_model(services, request.row.name, envelope.model))


async def _read_model(services: Services, upload: Upload) -> str:
    """Read up to the model; a caller that trickles does not hold the gateway longer than a call may last."""
    patience = services.settings.timeouts.total
    try:
        async with asyncio.timeout(patience):
            return await upload.read_model()
    except TimeoutError:
        raise SlowRequest(f"The form did not name its model within {patience:g} s.") from None


def _find_default_model(services: Services, operation: str, name: str) -> str:
    """Return an operation's default model: as it is where the catalog has it, or at the only provider."""
    try:
        return services.catalog.resolve(name).name
    except ModelNotFound:
        offering = list_offering(services, operation)
        return f"{next(iter(offering))}/{name}" if len(offering) == 1 else name


def find_account(services: Services, request: OperationRequest) -> Target:
    """Return the account that the caller names, or the only one for this operation on its client's wire."""
    operation = request.row.name
    offering = list_offering(services, operation)
    listed = f"{operation} are offered here by {', '.join(sorted(offering)) or 'nobody'}"
    if name := request.provider:
        if name not in offering:
            what = "does not offer it" if name in services.catalog.providers else "is not configured"
            raise BadRequest(f"The provider {name[:100]!r} {what}: {listed}.", param="provider")
        return structs.replace(offering[name], name=name)
    near = [each for each, target in offering.items() if get_generation_wire(target).operation == request.client]
    if len(near) != 1:
        how = "name one with ?provider= or the header x-antiphon-provider"
        raise BadRequest(f"Which provider is meant is not clear: {listed}; {how}.", param="provider")
    return structs.replace(offering[near[0]], name=near[0])


def list_offering(services: Services, operation: str) -> dict[str, Target]:
    """Return the providers that have an operation, each with its account as a target."""
    targets = {name: provider.make_target("") for name, provider in services.catalog.providers.items()}
    return {name: target for name, target in targets.items() if operation in target.urls}
