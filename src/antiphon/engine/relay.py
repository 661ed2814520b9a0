"""Calls of the operations table: the same admission, deadlines, targets and records, and bodies that go by unread."""

import asyncio
from typing import TYPE_CHECKING

from msgspec import structs

from antiphon import routing
from antiphon.catalog.operations import Operation
from antiphon.clock import monotonic
from antiphon.engine.attempt import ANSWER_LIMIT, Attempt, refused
from antiphon.engine.book import Book
from antiphon.engine.bridge import SameWire
from antiphon.engine.call import Answer, Call
from antiphon.engine.deadline import Deadline
from antiphon.engine.heading import headers_of
from antiphon.engine.passage import Passage, Raw
from antiphon.engine.pipeline import admit
from antiphon.engine.stream import SSE, Stream
from antiphon.engine.upload import Upload
from antiphon.errors import BadRequest, CallError, Forbidden, ModelNotFound, SlowRequest, Unavailable, UpstreamError
from antiphon.runtime import head_of
from antiphon.transport import Request, Response
from antiphon.types import Caller, Outcome, Record, Target, Usage
from antiphon.wires.operations import OperationWire, get_generation_wire, get_operation_wire
from antiphon.wires.wire import Envelope, Wire

if TYPE_CHECKING:
    from antiphon.runtime import Runtime

NO_CONTENT = 204
_UNKNOWN = Usage(estimated=True)
"""What was used, where nobody counted it."""


class Relayed(Call):
    """A call whose body goes by unread: ``body`` or ``upload`` holds it.

    ``below`` is what follows the operation's path and ``query`` what follows that; ``provider`` is where it goes, for
    operations that name no model. ``client`` is the operation whose clients send what ``headers`` holds.
    """

    __slots__ = ("below", "client", "content_type", "method", "provider", "query", "row", "upload")

    def __init__(
        self,
        row: Operation,
        caller: Caller,
        *,
        method: str = "POST",
        body: bytes = b"",
        upload: Upload | None = None,
        content_type: bytes = b"",
        below: str = "",
        query: str = "",
        provider: str = "",
        client: str = "chat",
        headers: tuple[tuple[bytes, bytes], ...] = (),
    ) -> None:
        super().__init__(row.name, body, caller, headers)
        self.client = client
        self.row = row
        self.method = method
        self.upload = upload
        self.content_type = content_type
        self.below = below
        self.query = query
        self.provider = provider


async def ask(run: "Runtime", call: Relayed) -> Answer:
    """Pass a call through; raises :class:`~antiphon.errors.CallError` where no target answered."""
    wire = get_operation_wire(call.operation)
    if call.row.model:
        envelope, plan = await _by_model(run, call, wire)
    else:
        envelope, plan = Envelope("", False, False, 1, {}), (_by_provider(run, call),)
    return await carried(run, call, wire, envelope, plan, Leg)


async def carried(
    run: "Runtime", call: Relayed, wire: Wire, envelope: Envelope, plan: tuple[Target, ...], kind: "type[Leg]"
) -> Answer:
    """Pass a call through to the first of some targets that answers it."""
    book = _Book(run, call, wire, envelope)
    try:
        leg = await _attempt_each(run, book, wire, plan, kind)
    except asyncio.CancelledError:
        book.abandon(_tried(book, plan), None)
        raise
    if leg.stream is not None:
        return Answer(leg.status, headers_of(book, leg), stream=leg.stream)
    usage = await leg.used()
    await book.settled(Outcome.SUCCESS, leg.target, usage, status=leg.status)
    return Answer(leg.status, headers_of(book, leg), leg.body, record=book.record)


async def _by_model(run: "Runtime", call: Relayed, wire: OperationWire) -> tuple[Envelope, tuple[Target, ...]]:
    upload = call.upload
    envelope = wire.peek(call.body) if upload is None else wire.make_envelope(await _named(run, upload))
    if upload is None and envelope.document.get("model") is None:
        envelope = structs.replace(envelope, model=_default(run, call.operation, envelope.model))
    model = admit(run, call, envelope)
    reachable = routing.narrowed(model, lambda target: call.operation in target.urls)
    if reachable is None:
        problem = f"{model.name} does not offer {call.operation}; choose a model of a provider that does."
        raise BadRequest(problem, param="model")
    return envelope, routing.plan(reachable)


def _default(run: "Runtime", operation: str, name: str) -> str:
    """Return the name of an operation's own default model: as it is where somebody has it, or of the only provider."""
    try:
        return run.catalog.resolve(name).name
    except ModelNotFound:
        offering = _offering(run, operation)
        return f"{next(iter(offering))}/{name}" if len(offering) == 1 else name


async def _named(run: "Runtime", upload: Upload) -> str:
    """Read up to the model; whoever sends a byte now and then does not hold us for longer than a call may last."""
    patience = run.catalog.settings.timeouts.total
    try:
        async with asyncio.timeout(patience):
            return await upload.model()
    except TimeoutError:
        raise SlowRequest(f"The form did not name its model within {patience:g} s.") from None


def _by_provider(run: "Runtime", call: Relayed) -> Target:
    """Return the account that the caller named, or the only one for this operation on its client's wire."""
    if run.refuses_records:
        raise Unavailable("Calls cannot be recorded at the moment, and this gateway is set to refuse them then.")
    operation = call.operation
    if call.caller.models:
        raise Forbidden(
            f"This key is for some models only; {operation} are of a whole account, whose models it could reach.",
            code="operation_not_allowed",
        )
    offering = _offering(run, operation)
    listed = f"{operation} are offered here by {', '.join(sorted(offering)) or 'nobody'}"
    how = "name one with ?provider= or the header x-antiphon-provider"
    if call.provider:
        if call.provider not in offering:
            what = "does not offer it" if call.provider in run.catalog.providers else "is not configured"
            raise BadRequest(f"The provider {call.provider[:100]!r} {what}: {listed}.", param="provider")
        name = call.provider
    elif len(same := [name for name in offering if get_generation_wire(offering[name]).operation == call.client]) == 1:
        (name,) = same
    else:
        raise BadRequest(f"Which provider is meant is not clear: {listed}; {how}.", param="provider")
    return structs.replace(offering[name], name=name)


def _offering(run: "Runtime", operation: str) -> dict[str, Target]:
    """Return the providers that have an operation, each with its account as a target."""
    targets = {name: provider.target("") for name, provider in run.catalog.providers.items()}
    return {name: target for name, target in targets.items() if operation in target.urls}


async def _attempt_each(run: "Runtime", book: Book, wire: Wire, plan: tuple[Target, ...], kind: "type[Leg]") -> "Leg":
    """Try the plan's targets in turn; a body that has begun to move cannot go to another one."""
    due = asyncio.get_running_loop().time() + plan[0].timeouts.total
    call = book.call
    assert isinstance(call, Relayed)
    for target in plan:
        leg = kind(run, book, target, SameWire(wire, book.envelope), call)
        try:
            await leg.run(due)
        except CallError as error:
            movable = call.upload is None or not call.upload.sent
            if isinstance(error, UpstreamError) and error.retryable and movable and target is not plan[-1]:
                continue
            if not isinstance(error, UpstreamError):
                leg.note(Outcome.ERROR, 0, error.code)
            await book.failed(error, target)
            raise
        return leg
    raise AssertionError("a plan has at least one target")


def _tried(book: Book, plan: tuple[Target, ...]) -> Target | None:
    tried = book.attempts[-1].target if book.attempts else ""
    return next((target for target in plan if target.name == tried), None)


class Leg(Attempt):
    """One try of a relayed call at one target."""

    __slots__ = ("_call", "status")

    def __init__(self, run: "Runtime", book: Book, target: Target, way: SameWire, call: Relayed) -> None:
        super().__init__(run, book, target, way)
        self._call = call
        self.status = 0

    async def _exchange(self, deadline: Deadline, due: float) -> None:
        target, run, upload = self.target, self._run, self._call.upload
        if upload is not None:
            upload.moved = lambda: self._patience(deadline, due)
        request = self._request()
        if target.signing is not None:
            request = await run.signers.signed(target, request)
        response = await run.transport(target.origin.scheme).send(request, target.timeouts.connect)
        try:
            self.headers, self.status = response.headers, response.status
            if not 200 <= response.status < 300:
                raise await refused(response, self.bridge)
            kind = self.content_type.lower()
            if kind.startswith(SSE.encode()):
                await self._follow(response, due)
            elif response.status == NO_CONTENT:
                self._answered()
            elif self._is_read(kind):
                self._patience(deadline, due, target.timeouts.idle)
                self.whole, self.body = self.bridge.read_whole(await response.read(ANSWER_LIMIT))
                self._answered()
            else:
                await self._pass(response, due)
        except BaseException:
            response.close()
            raise
        if self.stream is None:
            response.close()

    async def used(self) -> Usage | None:
        """Return what was used for a whole answer and is to be billed, as far as the provider said."""
        return self.whole.usage if self.whole is not None else None

    def _is_read(self, kind: bytes) -> bool:
        """Say whether an answer of this type is read as a whole; a page of HTML is read too, and found to be none."""
        row = self._call.row
        return row.model and (not row.bytes or kind.startswith((b"application/json", b"text/html")))

    async def _follow(self, response: Response, due: float) -> None:
        self._book.envelope = structs.replace(self._book.envelope, stream=True)
        stream = Stream(self._run, self._book, self, response, due)
        await stream.open()
        self.stream = stream

    async def _pass(self, response: Response, due: float) -> None:
        """Let bytes through whose end is the only thing to be known of them; an empty answer of a model is none."""
        self.bridge = Raw(self.bridge.far, self._book.envelope, may_be_empty=not self._call.row.model)
        stream = Passage(self._run, self._book, self, response, due)
        await stream.open()
        self.stream = stream

    def _answered(self) -> None:
        self._book.first_output = monotonic()
        self.note(Outcome.SUCCESS, self.status, "")

    def _patience(self, deadline: Deadline, due: float, seconds: float | None = None) -> None:
        """Move the deadline on: while a body moves up or an answer down, nobody waits for a first output."""
        wait = self.target.timeouts.first_output if seconds is None else seconds
        deadline.due = min(due, max(deadline.due, asyncio.get_running_loop().time() + wait))

    def _request(self) -> Request:
        call, target, upload = self._call, self.target, self._call.upload
        path, _, query = target.urls[call.operation].partition("?")
        query = "&".join(part for part in (query, call.query) if part)
        path = f"{path}{call.below}?{query}" if query else path + call.below
        own = get_generation_wire(target)
        forwarded = tuple(pair for pair in call.headers if pair[0] in own.forwards)
        head = head_of(call.method, path, target, own, forwarded, content_type=call.content_type)
        if upload is not None:
            upload.bound(target.model)
            return Request(target.origin, head, b"", target.origin, upload, upload.length)
        body = self.bridge.encode(call.body, target) if call.row.model else call.body
        return Request(target.origin, head, body, target.origin)


class _Book(Book):
    """Of what nobody counted the usage is unknown, and so is the cost, unless nothing is billed at all."""

    __slots__ = ()

    def counted(self, output_bytes: int) -> Usage:
        wire = self.wire
        asked = wire.estimate_request_usage(self.envelope) if isinstance(wire, OperationWire) else None
        return asked or _UNKNOWN

    def _record(self, outcome: Outcome, target: Target | None, usage: Usage | None, status: int, error: str) -> Record:
        known = usage is not None and usage != _UNKNOWN
        record = super()._record(outcome, target, usage if known else None, status, error)
        call = self.call
        assert isinstance(call, Relayed)
        free = target is not None and target.price is not None and target.price.free
        nothing = free or call.row.free or call.method != "POST" or outcome is Outcome.ERROR
        return record if known or nothing else structs.replace(record, cost=None, price_version="")
