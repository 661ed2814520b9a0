"""An attempt that takes several requests: all of them succeed, or the attempt has failed."""

import asyncio

from antiphon.engine.answer_reader import ANSWER_LIMIT, commit_whole
from antiphon.engine.call import AttemptContext
from antiphon.engine.outcome import Committed
from antiphon.engine.sending import send_body
from antiphon.engine.upstream_errors import make_error_from_response
from antiphon.errors import BadAnswer
from antiphon.wires.translation.translator import EncodedRequest, Translator

REQUESTS_AT_ONCE = 8
"""Requests of one call that are under way at the same time."""
BYTES_IN_LOOP = 64 * 1024
"""Bytes of answers that are decoded on the event loop, about a millisecond's work; more go to a thread."""


async def exchange_bodies(attempt: AttemptContext, translator: Translator, encoded: EncodedRequest) -> Committed:
    """Ask with every body, and commit the one answer; each answer extends the attempt's deadline."""
    waiting = iter(enumerate(encoded.bodies))
    answers: dict[int, bytes] = {}
    size = 0

    async def ask_in_turn() -> None:
        nonlocal size
        for place, body in waiting:
            answers[place] = answer = await _ask(attempt, translator, body)
            size += len(answer)
            if size >= ANSWER_LIMIT:
                raise BadAnswer(f"The provider's answers are larger than {ANSWER_LIMIT} bytes together.")
            attempt.extend(attempt.target.timeouts.first_output)

    count = len(encoded.bodies)
    attempt.sent = True
    await _wait_for_all([asyncio.ensure_future(ask_in_turn()) for _ in range(min(REQUESTS_AT_ONCE, count))])
    bodies = [answers[place] for place in range(count)]
    if size > BYTES_IN_LOOP:  # a thousand vectors are a second's work, which nobody else should wait for
        answer, body = await asyncio.to_thread(translator.decode_whole, bodies)
    else:
        answer, body = translator.decode_whole(bodies)
    usage = answer.usage or attempt.call.procedure.estimate_usage(attempt.call, answer.output_bytes)
    return commit_whole(attempt, 200, [], translator, encoded, body, usage)


async def _ask(attempt: AttemptContext, translator: Translator, body: bytes) -> bytes:
    call, target = attempt.call, attempt.target
    response = await send_body(call, target, translator, body)
    try:
        if response.status != 200:
            raise await make_error_from_response(response, translator.provider_wire, translator.verbatim)
        return await response.read(ANSWER_LIMIT)
    finally:
        response.close()


async def _wait_for_all(tasks: list[asyncio.Future[None]]) -> None:
    """Wait for all tasks; the first failure, or a cancellation, ends the others and waits until they have ended."""
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
