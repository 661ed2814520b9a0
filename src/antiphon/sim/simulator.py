"""The simulator itself: from a request to the plan of its response, without a socket and without a clock."""

import random
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any
from urllib.parse import unquote

import msgspec

from antiphon.errors import CallError, ModelNotFound
from antiphon.sim import chat, completions, embeddings, token_counts
from antiphon.sim.behaviour import KINDS, PREFIX, Behaviour, UnknownBehaviour, parse_model_name
from antiphon.sim.body_checks import check_body
from antiphon.sim.codec_answer import CodecAnswer, CodecStreamParts
from antiphon.sim.corruptions import UNKNOWN_FIELDS, corrupt_openai_usage, find_rewrite, remove_finish
from antiphon.sim.faults import find_replacement, plan_body, plan_json, plan_stream
from antiphon.sim.header_checks import check_headers
from antiphon.sim.model_output import AnswerMetadata, ModelOutput
from antiphon.sim.openai_requests import (
    ChatRequest,
    CompletionRequest,
    EmbeddingRequest,
    InvalidRequest,
    list_inputs,
    list_stops,
)
from antiphon.sim.question import read_chat_request, read_neutral_request
from antiphon.sim.response_plan import ResponsePlan
from antiphon.sim.routes import KNOWN_PATHS, Route, find_route
from antiphon.sim.script import Rule, Script
from antiphon.sim.speech import MAX_CHARACTERS, SPEECHES, bound_text, repeat_output, speak
from antiphon.sim.text import TOKEN_LENGTH, count_tokens
from antiphon.sim.usage import UsageCounts, count_usage, to_neutral_usage, write_usage
from antiphon.sim.wire_format import OPENAI, WireFormat, get_wire_format
from antiphon.transport.interface import Headers
from antiphon.wires.table import get_codec, get_wire

_encode = msgspec.json.encode
_replace = msgspec.structs.replace
_MAX_CACHED_NAMES = 1024
_MAX_LOGPROBS = 100_000
_MAX_SHOWN_PATH = 200


class _Exchange(msgspec.Struct, frozen=True, eq=False):
    """A request, and what every response to it needs: ``headers`` and the time in seconds since the epoch."""

    route: Route
    wire_format: WireFormat
    body: bytes
    headers: Headers
    now: int


class Simulator:
    """Answers requests as the model name and the script demand.

    ``tps`` is the speed of models whose name states none, in tokens per second; 0 means no limit. With the same
    ``seed`` the same requests in the same order get the same answers, identifiers and random faults included.
    """

    def __init__(self, script: Script | None = None, *, tps: float = 0.0, seed: int | None = None) -> None:
        self._script = script if script is not None and script.rules else None
        self._tps = tps
        self._ids = random.Random(seed)
        self._chance = random.Random(seed)
        self._behaviours: dict[str, Behaviour] = {}

    def plan_response(
        self, method: bytes, path: bytes, body: bytes, now: int, request_headers: Mapping[bytes, bytes] | None = None
    ) -> ResponsePlan:
        """Return the plan of the response to one request; ``now`` is seconds since the epoch.

        ``request_headers`` have names in lower case; ``None`` leaves them unchecked. A request never makes it raise.
        """
        route = _COMMON_ROUTES.get(path) or find_route(path)
        wire_format = get_wire_format(route.operation) if route is not None else OPENAI
        headers: Headers = [(wire_format.request_id_header, b"req_%032x" % self._ids.getrandbits(128))]
        if route is None:
            return self._plan_other_path(method, path, headers)
        if method != b"POST":
            problem = f"{_decode_path(path)} takes POST only."
            return _plan_error(wire_format, 405, problem, headers, code="method_not_allowed")
        exchange = _Exchange(route, wire_format, body, headers, now)
        if route.operation in _OPENAI_OPERATIONS:
            plan = self._plan_openai(exchange)
        else:
            plan = self._plan_codec(exchange, request_headers)
        plan.operation = route.operation
        return plan

    # OpenAI's own paths -----------------------------------------------------------------------------------------------

    def _plan_openai(self, exchange: _Exchange) -> ResponsePlan:
        """Return the plan for chat, completions or embeddings, whose bodies are read and written here."""
        operation = _OPENAI_OPERATIONS[exchange.route.operation]
        headers = exchange.headers
        request: Any = None
        try:
            request = operation.decoder.decode(exchange.body)
            plan = operation.plan(self, request, exchange)
        except InvalidRequest as error:
            plan = _plan_error(OPENAI, 400, str(error), headers, param=error.param)
        except UnknownBehaviour as error:
            plan = _plan_error(OPENAI, 404, str(error), headers, code="model_not_found", param="model")
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            plan = _plan_error(OPENAI, 400, f"The body is not a request of this kind: {error}", headers)
        plan.model = request.model if request is not None else ""
        return plan

    def _plan_chat(self, request: ChatRequest, exchange: _Exchange) -> ResponsePlan:
        question = read_chat_request(request)
        behaviour, rule = self._choose_behaviour(request.model, question.message, question.after_tool)
        if replacement := find_replacement(OPENAI, behaviour, exchange.headers, exchange.now):
            return replacement
        outputs = repeat_output(speak(question, behaviour, rule, exchange.body), request.n)
        usage = _count_usage(question.prompt_tokens, outputs, rule, bool(request.logprobs))
        return self._plan_outputs(chat, request, outputs, usage, behaviour, exchange)

    def _plan_completion(self, request: CompletionRequest, exchange: _Exchange) -> ResponsePlan:
        prompts = list_inputs("" if request.prompt is None else request.prompt, "prompt")
        last = prompts[-1]
        behaviour, rule = self._choose_behaviour(request.model, last if isinstance(last, str) else "", False)
        if replacement := find_replacement(OPENAI, behaviour, exchange.headers, exchange.now):
            return replacement
        outputs: list[ModelOutput] = []
        size = 0
        for prompt in prompts:
            prompt_text = prompt if isinstance(prompt, str) else " ".join(map(str, prompt))
            text = rule.reply if rule is not None else None
            if text is None:
                text = SPEECHES[behaviour.speech](behaviour, prompt_text, exchange.body)
            output = bound_text(text, behaviour, list_stops(request.stop), request.max_tokens)
            if request.echo:
                output.text = prompt_text + output.text
            outputs += repeat_output(output, request.n)
            size += len(output.text) * (request.n or 1)
            if size > MAX_CHARACTERS:
                problem = "the answer would be too long; ask for fewer prompts or a smaller 'n'."
                raise InvalidRequest(problem, "prompt")
        prompt_tokens = sum(count_tokens(prompt) if isinstance(prompt, str) else len(prompt) for prompt in prompts)
        usage = _count_usage(prompt_tokens, outputs, rule, bool(request.logprobs))
        return self._plan_outputs(completions, request, outputs, usage, behaviour, exchange)

    def _plan_embedding(self, request: EmbeddingRequest, exchange: _Exchange) -> ResponsePlan:
        text = request.input if isinstance(request.input, str) else ""
        behaviour, _ = self._choose_behaviour(request.model, text, False)
        if replacement := find_replacement(OPENAI, behaviour, exchange.headers, exchange.now):
            return replacement
        usage = corrupt_openai_usage(embeddings.write_usage(request), behaviour)
        body = embeddings.write_body(request, _encode(request.model), behaviour.dim, usage)
        return plan_body(body, 0, exchange.headers, behaviour)

    def _plan_outputs(
        self,
        writer: ModuleType,
        request: ChatRequest | CompletionRequest,
        outputs: list[ModelOutput],
        counts: UsageCounts,
        behaviour: Behaviour,
        exchange: _Exchange,
    ) -> ResponsePlan:
        """Return the plan for outputs that ``writer``, the module ``chat`` or ``completions``, puts into shape."""
        extra = UNKNOWN_FIELDS if behaviour.speech == "mirror" else b""
        answer_id = f"{writer.ID_PREFIX}{self._ids.getrandbits(116):029x}"
        metadata = AnswerMetadata(answer_id, exchange.now, _encode(request.model), extra)
        usage = corrupt_openai_usage(write_usage(counts), behaviour)
        if request.stream:
            with_usage = request.stream_options is not None and request.stream_options.include_usage
            parts = writer.write_stream(outputs, metadata, usage if with_usage else b"", bool(request.logprobs))
            return plan_stream(parts, exchange.headers, behaviour)
        tokens = _count_output_tokens(outputs)
        if behaviour.fault == "cut-clean":
            outputs = [_cut_output(output, behaviour, finish=None) for output in outputs]
        body = writer.write_body(outputs, metadata, usage, bool(request.logprobs))
        return plan_body(body, tokens, exchange.headers, behaviour)

    # Wires that are read and written by their codec -------------------------------------------------------------------

    def _plan_codec(self, exchange: _Exchange, request_headers: Mapping[bytes, bytes] | None) -> ResponsePlan:
        """Return the plan for an operation of another wire."""
        route, wire_format, headers = exchange.route, exchange.wire_format, exchange.headers
        try:
            if request_headers is not None:
                check_headers(route, request_headers)
            envelope = get_wire(route.operation).peek(exchange.body, route.model, route.stream)
            if route.operation in _AUXILIARY_OPERATIONS:
                plan = self._plan_auxiliary(envelope.document, envelope.model, exchange)
            else:
                plan = self._plan_generation(envelope.document, envelope.model, envelope.stream, exchange)
            plan.model = envelope.model
        except CallError as error:
            plan = _plan_call_error(wire_format, error, headers)
        except InvalidRequest as error:
            plan = _plan_error(wire_format, 400, str(error), headers, param=error.param)
        except UnknownBehaviour as error:
            plan = _plan_call_error(wire_format, ModelNotFound(str(error), param="model"), headers)
        return plan

    def _plan_auxiliary(self, document: dict[str, Any], model: str, exchange: _Exchange) -> ResponsePlan:
        behaviour = self._get_behaviour(model)
        if replacement := find_replacement(exchange.wire_format, behaviour, exchange.headers, exchange.now):
            return replacement
        body = _AUXILIARY_OPERATIONS[exchange.route.operation](document, model, behaviour.dim)
        return plan_body(body, 0, exchange.headers, behaviour, exchange.wire_format)

    def _plan_generation(self, document: dict[str, Any], model: str, stream: bool, exchange: _Exchange) -> ResponsePlan:
        operation, wire_format, headers = exchange.route.operation, exchange.wire_format, exchange.headers
        codec = get_codec(operation)
        request = codec.read_request(document, model, stream)
        check_body(operation, document, request, codec.wire)
        question = read_neutral_request(request)
        behaviour, rule = self._choose_behaviour(model, question.message, question.after_tool)
        if replacement := find_replacement(wire_format, behaviour, headers, exchange.now):
            return replacement
        outputs = repeat_output(speak(question, behaviour, rule, exchange.body), question.n)
        counts = _count_usage(question.prompt_tokens, outputs, rule, bool(request.logprobs))
        tokens = _count_output_tokens(outputs)
        rewrite = find_rewrite(behaviour)
        if not stream and behaviour.fault == "cut-clean":
            outputs = [_cut_output(output, behaviour) for output in outputs]
            rewrite = remove_finish
        answer = CodecAnswer(
            operation=operation,
            codec=codec,
            request=request,
            outputs=outputs,
            usage=to_neutral_usage(counts),
            digits=f"{self._ids.getrandbits(128):032x}",
            created=exchange.now,
        )
        if stream:
            return plan_stream(CodecStreamParts(answer, wire_format, rewrite), headers, behaviour, wire_format)
        body = answer.write_body()
        return plan_body(rewrite(body) if rewrite is not None else body, tokens, headers, behaviour, wire_format)

    # Other paths ------------------------------------------------------------------------------------------------------

    def _plan_other_path(self, method: bytes, path: bytes, headers: Headers) -> ResponsePlan:
        _, found, name = path.partition(b"?")[0].partition(b"/models")
        if not found:
            problem = f"There is nothing at {_decode_path(path)}; known: {', '.join(KNOWN_PATHS)}"
            return _plan_error(OPENAI, 404, problem, headers, code="not_found")
        if method not in (b"GET", b"HEAD"):
            problem = "The list of models takes GET only."
            return _plan_error(OPENAI, 405, problem, headers, code="method_not_allowed")
        return self._plan_models(unquote(name.removeprefix(b"/")), headers)

    def _plan_models(self, name: str, headers: Headers) -> ResponsePlan:
        if not name:
            models = [_describe_model(known) for known in KINDS]
            return plan_json(200, _encode({"object": "list", "data": models}), headers)
        try:
            self._get_behaviour(name)
        except UnknownBehaviour as error:
            return _plan_error(OPENAI, 404, str(error), headers, code="model_not_found", param="model")
        return plan_json(200, _encode(_describe_model(name)), headers)

    # Behaviours -------------------------------------------------------------------------------------------------------

    def _get_behaviour(self, model: str) -> Behaviour:
        """Return the behaviour of a model, without its fault when chance says so; raises :class:`UnknownBehaviour`."""
        behaviour = self._behaviours.get(model)
        if behaviour is None:
            behaviour = parse_model_name(model)
            if behaviour.tps is None:
                behaviour = _replace(behaviour, tps=self._tps)
            if len(self._behaviours) >= _MAX_CACHED_NAMES:
                self._behaviours.clear()
            self._behaviours[model] = behaviour
        if behaviour.p < 1 and self._chance.random() >= behaviour.p:
            return _replace(behaviour, fault="")
        return behaviour

    def _choose_behaviour(self, model: str, message: str, after_tool: bool) -> tuple[Behaviour, Rule | None]:
        """Return the behaviour for a message, and the script's rule that answers it, if any."""
        behaviour = self._get_behaviour(model)
        if self._script is None or behaviour.speech == "mirror":
            return behaviour, None
        rule = self._script.find_rule(model.removeprefix(PREFIX), message, after_tool)
        if rule is None:
            return behaviour, None
        if rule.fault is not None and (rule.fault.p == 1 or self._chance.random() < rule.fault.p):
            speed = behaviour.tps if rule.fault.tps is None else rule.fault.tps
            behaviour = _replace(rule.fault, tps=speed, first=rule.fault.first or behaviour.first)
        if rule.delay is not None:
            behaviour = _replace(behaviour, first=rule.delay)
        if rule.tps is not None:
            behaviour = _replace(behaviour, tps=rule.tps)
        return behaviour, rule


class _OpenAIOperation(msgspec.Struct, frozen=True, eq=False):
    decoder: Any
    plan: Callable[[Simulator, Any, _Exchange], ResponsePlan]


_OPENAI_OPERATIONS = {
    "chat": _OpenAIOperation(msgspec.json.Decoder(ChatRequest), Simulator._plan_chat),
    "completions": _OpenAIOperation(msgspec.json.Decoder(CompletionRequest), Simulator._plan_completion),
    "embeddings": _OpenAIOperation(msgspec.json.Decoder(EmbeddingRequest), Simulator._plan_embedding),
}
_AUXILIARY_OPERATIONS: dict[str, Callable[[dict[str, Any], str, int], bytes]] = {
    "count_tokens": lambda document, model, dimensions: token_counts.write_messages_body(document),
    "gemini_count_tokens": lambda document, model, dimensions: token_counts.write_gemini_body(document, model),
    "gemini_embed": lambda document, model, dimensions: embeddings.write_gemini_body(document, dimensions),
    "gemini_embed_batch": lambda document, model, dimensions: embeddings.write_gemini_batch_body(document, dimensions),
}
"""Operations of other wires beside generation: from document, model and default dimensions to the answer's body."""
_COMMON_ROUTES = {
    path: Route(name) for path, name in ((b"/v1/chat/completions", "chat"), (b"/v1/embeddings", "embeddings"))
}
"""The most frequent paths, found without a search."""


def _count_output_tokens(outputs: list[ModelOutput]) -> int:
    return sum([output.count_tokens() for output in outputs])


def _count_usage(prompt_tokens: int, outputs: list[ModelOutput], rule: Rule | None, logprobs: bool) -> UsageCounts:
    """Return the usage to state; raises :class:`InvalidRequest` for too many log probabilities."""
    tokens = _count_output_tokens(outputs)
    if logprobs and tokens > _MAX_LOGPROBS:
        raise InvalidRequest(f"'logprobs' are given for at most {_MAX_LOGPROBS} tokens.", "logprobs")
    thinking = sum([output.count_thinking_tokens() for output in outputs])
    return count_usage(prompt_tokens, tokens, thinking, rule.usage if rule is not None else None)


def _cut_output(output: ModelOutput, behaviour: Behaviour, finish: str | None = "stop") -> ModelOutput:
    return ModelOutput(output.text[: behaviour.after * TOKEN_LENGTH], finish=finish)


def _describe_model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "sim"}


def _decode_path(path: bytes) -> str:
    return path[:_MAX_SHOWN_PATH].decode("latin-1")


def _plan_error(
    wire_format: WireFormat,
    status: int,
    message: str,
    headers: Headers,
    code: str | None = None,
    param: str | None = None,
) -> ResponsePlan:
    body = wire_format.write_error(status, message, "invalid_request_error", code, param)
    return plan_json(status, body, headers + wire_format.list_error_headers(status))


def _plan_call_error(wire_format: WireFormat, error: CallError, headers: Headers) -> ResponsePlan:
    body = wire_format.write_error(error.status, error.message, error.kind, error.code, error.param)
    return plan_json(error.status, body, headers + wire_format.list_error_headers(error.status))
