"""Readers of a target's answer: whole, as a stream of events, or as raw bytes. Each returns a committed answer."""

from antiphon.clock import monotonic
from antiphon.engine.call import AttemptContext
from antiphon.engine.outcome import Committed
from antiphon.engine.response_headers import filter_forwardable, find_header, join_header_values, list_verbatim_headers
from antiphon.engine.upstream import UpstreamStream
from antiphon.errors import BadAnswer
from antiphon.transport import Headers, Response
from antiphon.types import Usage
from antiphon.wires.table import TIERS
from antiphon.wires.translation.passthrough import WholeChunks
from antiphon.wires.translation.translator import EncodedRequest, Translator
from antiphon.wires.wire import read_service_tier

ANSWER_LIMIT = 256 * 1024 * 1024
"""Bytes of a whole answer; embeddings of a large batch are the biggest ones."""


async def read_whole(
    attempt: AttemptContext, response: Response, translator: Translator, encoded: EncodedRequest
) -> Committed:
    """Read a whole answer; its body may take as long as a stream may be silent."""
    attempt.extend(attempt.target.timeouts.idle)
    answer, body = translator.decode_whole((await response.read(ANSWER_LIMIT),))
    call = attempt.call
    usage = answer.usage or call.procedure.estimate_usage(call, answer.output_bytes)
    return commit_whole(attempt, response.status, response.headers, translator, encoded, body, usage)


def commit_whole(
    attempt: AttemptContext,
    status: int,
    headers: Headers,
    translator: Translator,
    encoded: EncodedRequest,
    body: bytes,
    usage: Usage | None,
) -> Committed:
    """Return the committed answer of a body that was read and decoded."""
    return Committed(
        attempt.target,
        status,
        list_answer_headers(attempt, headers, translator, encoded, "application/json"),
        attempt.started,
        monotonic(),
        body,
        usage,
        service_tier=_find_service_tier(headers, translator),
    )


async def read_events(
    attempt: AttemptContext, response: Response, translator: Translator, encoded: EncodedRequest
) -> Committed:
    """Wait for the first real output of a stream of events."""
    wire, caller_wire = translator.provider_wire, attempt.call.wire
    content_type = find_header(response.headers, b"content-type") or b"application/json"
    if not content_type.lower().startswith(wire.stream_type.encode()):
        wire.read_whole(await response.read(ANSWER_LIMIT))  # raises the error that the answer may be
        raise BadAnswer(f"The provider was asked for a stream and answered with {content_type.decode('latin-1')!r}.")
    stream = UpstreamStream(
        attempt.target, response, translator.start_stream(encoded), wire.make_splitter(), wire, attempt.due
    )
    await stream.open()
    return Committed(
        attempt.target,
        response.status,
        list_answer_headers(attempt, response.headers, translator, encoded, caller_wire.stream_type),
        attempt.started,
        monotonic(),
        stream=stream,
        is_event_stream=True,
        heartbeat=caller_wire.heartbeat,
        service_tier=_find_service_tier(response.headers, translator),
    )


async def read_raw(
    attempt: AttemptContext, response: Response, translator: Translator, encoded: EncodedRequest
) -> Committed:
    """Wait for the first bytes of an answer of which only the end is known."""
    wire, translated = translator.provider_wire, translator.start_stream(encoded)
    stream = UpstreamStream(attempt.target, response, translated, WholeChunks(), wire, attempt.due)
    await stream.open()
    headers = list_answer_headers(attempt, response.headers, translator, encoded, "")
    return Committed(attempt.target, response.status, headers, attempt.started, monotonic(), stream=stream)


def list_answer_headers(
    attempt: AttemptContext, headers: Headers, translator: Translator, encoded: EncodedRequest, content_type: str
) -> Headers:
    """Return the fields that the caller gets of an answer; ``content_type`` is that of a translated one."""
    call, wire = attempt.call, translator.provider_wire
    if translator.verbatim:
        return list_verbatim_headers(headers, wire)
    shown = [(b"content-type", content_type.encode()), (call.wire.request_id_header, call.id.encode())]
    shown += filter_forwardable(headers, wire, False)
    if encoded.dropped:
        shown.append((b"x-antiphon-dropped", join_header_values(encoded.dropped)))
    return shown


def _find_service_tier(headers: Headers, translator: Translator) -> str:
    name = TIERS.get(translator.operation)
    return read_service_tier(find_header(headers, name).decode("latin-1")) if name else ""
