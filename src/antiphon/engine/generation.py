"""The procedure of calls whose body is read: generation, embeddings, counts of tokens."""

from antiphon import routing
from antiphon.engine.answer_reader import read_events, read_whole
from antiphon.engine.batched_requests import exchange_bodies
from antiphon.engine.call import AttemptContext, Call
from antiphon.engine.outcome import Committed
from antiphon.engine.sending import send_body
from antiphon.engine.upstream_errors import make_error_from_response
from antiphon.types import Model, Outcome, Target, Usage
from antiphon.wires.translation.choice import can_answer, choose_translator
from antiphon.wires.wire import estimate_usage


class Generation:
    """See :class:`antiphon.engine.call.Procedure`."""

    __slots__ = ()
    names_model = True

    def resolve(self, call: Call) -> Model:
        return call.services.catalog.resolve(call.envelope.model)

    def filter_able(self, call: Call, model: Model) -> Model | None:
        operation = call.operation
        for target in model.targets:
            if operation not in target.urls:
                return routing.filter_targets(model, lambda target: can_answer(target, operation))
        return model

    async def exchange(self, attempt: AttemptContext) -> Committed:
        call, target = attempt.call, attempt.target
        translator = choose_translator(call.wire, call.envelope, target)
        encoded = translator.encode_request(call.body, target)
        if len(encoded.bodies) > 1:
            return await exchange_bodies(attempt, translator, encoded)
        attempt.sent = True
        response = await send_body(call, target, translator, encoded.bodies[0])
        try:
            if response.status != 200:
                raise await make_error_from_response(response, translator.provider_wire, translator.verbatim)
            read = read_events if call.envelope.stream else read_whole
            return await read(attempt, response, translator, encoded)
        except BaseException:
            response.close()
            raise

    def can_move(self) -> bool:
        return True

    def estimate_usage(self, call: Call, output_bytes: int) -> Usage | None:
        return estimate_usage(call.wire.count_input_bytes(call.envelope), output_bytes)

    def is_free(self, call: Call, target: Target | None, outcome: Outcome) -> bool:
        return True
