"""The brain: from a request to a performance, without a socket and without a clock."""

import random
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any
from urllib.parse import unquote

import msgspec

from antiphon.errors import CallError, ModelNotFound
from antiphon.sim import admission, asked, chat, completions, counting, embeddings, faults, routes, saying, strict, text
from antiphon.sim import spoiled as spoiling
from antiphon.sim.behaviour import KINDS, PREFIX, Behaviour, UnknownBehaviour, parse
from antiphon.sim.dialect import OPENAI, Dialect, dialect_of
from antiphon.sim.performance import Performance
from antiphon.sim.requests import ChatRequest, CompletionRequest, EmbeddingRequest, Refused, inputs
from antiphon.sim.routes import Route
from antiphon.sim.script import Rule, Script
from antiphon.sim.speech import Envelope, Said, buckets, numbers, usage
from antiphon.sim.translated import Answer, Spoken, whole
from antiphon.transport.seam import Headers
from antiphon.wires.table import get_codec, get_wire

_encode = msgspec.json.encode
_replace = msgspec.structs.replace
_KNOWN_NAMES = 1024
_MOST_LOGPROBS = 100_000


class Brain:
    """Answers requests as the model name and the script ask.

    ``tps`` is the speed of models whose name states none, in tokens per second, 0 for no limit. With the same ``seed``
    the same requests in the same order get the same answers, identifiers and chances included.
    """

    def __init__(self, script: Script | None = None, *, tps: float = 0.0, seed: int | None = None) -> None:
        self._script = script if script is not None and script.rules else None
        self._tps = tps
        self._ids = random.Random(seed)
        self._chance = random.Random(seed)
        self._behaviours: dict[str, Behaviour] = {}

    def perform(
        self, method: bytes, path: bytes, body: bytes, now: int, sent: Mapping[bytes, bytes] | None = None
    ) -> Performance:
        """Return the answer to one request; ``now`` is seconds since the epoch. Never raises for what a caller sent.

        ``sent`` are the request's header fields, names in lower case; ``None`` leaves them unchecked.
        """
        route = _ROUTES.get(path) or routes.find(path)
        dialect = dialect_of(route.operation) if route is not None else OPENAI
        headers: Headers = [(dialect.request_id, b"req_%032x" % self._ids.getrandbits(128))]
        if route is None:
            return self._elsewhere(method, path, headers)
        if method != b"POST":
            return _refusal(dialect, 405, f"{_shown(path)} takes POST only.", headers, code="method_not_allowed")
        operation = _OPERATIONS.get(route.operation)
        if operation is None:
            return self._translated(route, dialect, body, headers, now, sent)
        request: Any = None
        try:
            request = operation.decoder.decode(body)
            answer = operation.answer(self, request, body, headers, now)
        except Refused as error:
            answer = _refusal(dialect, 400, str(error), headers, param=error.param)
        except UnknownBehaviour as error:
            answer = _refusal(dialect, 404, str(error), headers, code="model_not_found", param="model")
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            answer = _refusal(dialect, 400, f"The body is not a request of this kind: {error}", headers)
        answer.operation = route.operation
        answer.model = request.model if request is not None else ""
        return answer

    def _translated(
        self,
        route: Route,
        dialect: Dialect,
        body: bytes,
        headers: Headers,
        now: int,
        sent: Mapping[bytes, bytes] | None,
    ) -> Performance:
        """Answer on a wire that is read and written by its own codec."""
        try:
            if sent is not None:
                admission.admit(route, sent)
            envelope = get_wire(route.operation).peek(body, route.model, route.stream)
            if route.operation in _GENERATING:
                answer = self._generated(
                    route, dialect, envelope.document, envelope.model, envelope.stream, body, headers, now
                )
            else:
                behaviour = self._behaviour(envelope.model)
                if instead := faults.INSTEAD.get(behaviour.fault):
                    answer = instead(dialect, behaviour, headers, now)
                else:
                    made = counting.answer(route, envelope.document, behaviour.dim)
                    answer = faults.whole(made, 0, headers, behaviour, dialect)
            answer.model = envelope.model
        except CallError as error:
            answer = _refused(dialect, error, headers)
        except Refused as error:
            answer = _refusal(dialect, 400, str(error), headers, param=error.param)
        except UnknownBehaviour as error:
            answer = _refused(dialect, ModelNotFound(str(error), param="model"), headers)
        answer.operation = route.operation
        return answer

    def _generated(
        self,
        route: Route,
        dialect: Dialect,
        document: dict[str, Any],
        model: str,
        stream: bool,
        body: bytes,
        headers: Headers,
        now: int,
    ) -> Performance:
        codec = get_codec(route.operation)
        request = codec.read_request(document, model, stream)
        strict.check(route.operation, document, request, codec.wire)
        question = asked.of_request(request)
        behaviour, rule = self._directed(model, question.message, question.after_tool)
        if instead := faults.INSTEAD.get(behaviour.fault):
            return instead(dialect, behaviour, headers, now)
        said = saying.said(question, behaviour, rule, body)
        choices = [said] * saying.copies(question.copies, said)
        tokens = sum([choice.tokens() for choice in choices])
        if request.logprobs and tokens > _MOST_LOGPROBS:
            raise Refused(f"'logprobs' are given for at most {_MOST_LOGPROBS} tokens.", "logprobs")
        counted = numbers(question.prompt, tokens, _thought(choices), rule.usage if rule is not None else None)
        change = spoiling.change(behaviour)
        if not stream and behaviour.fault == "cut-clean":
            choices = [Said(choice.text[: behaviour.after * text.PIECE]) for choice in choices]
            change = spoiling.unfinished
        answer = Answer(
            operation=route.operation,
            codec=codec,
            request=request,
            choices=choices,
            usage=buckets(counted),
            digits=f"{self._ids.getrandbits(128):032x}",
            created=now,
        )
        if stream:
            return faults.stream(Spoken(answer, dialect, change), headers, behaviour, dialect)
        made = whole(answer)
        return faults.whole(made if change is None else change(made), tokens, headers, behaviour, dialect)

    def _elsewhere(self, method: bytes, path: bytes, headers: Headers) -> Performance:
        _, found, name = path.partition(b"?")[0].partition(b"/models")
        if not found:
            known = ", ".join(routes.KNOWN)
            told = f"There is nothing at {_shown(path)}; known: {known}"
            return _refusal(OPENAI, 404, told, headers, code="not_found")
        if method not in (b"GET", b"HEAD"):
            return _refusal(OPENAI, 405, "The list of models takes GET only.", headers, code="method_not_allowed")
        return self._models(unquote(name.removeprefix(b"/")), headers)

    def _models(self, name: str, headers: Headers) -> Performance:
        if not name:
            listed = [{"id": known, "object": "model", "created": 0, "owned_by": "sim"} for known in KINDS]
            return faults.document(200, _encode({"object": "list", "data": listed}), headers)
        try:
            self._behaviour(name)
        except UnknownBehaviour as error:
            return _refusal(OPENAI, 404, str(error), headers, code="model_not_found", param="model")
        return faults.document(200, _encode({"id": name, "object": "model", "created": 0, "owned_by": "sim"}), headers)

    def _behaviour(self, model: str) -> Behaviour:
        known = self._behaviours.get(model)
        if known is None:
            known = parse(model)
            if known.tps is None:
                known = _replace(known, tps=self._tps)
            if len(self._behaviours) >= _KNOWN_NAMES:
                self._behaviours.clear()
            self._behaviours[model] = known
        if known.p < 1 and self._chance.random() >= known.p:
            return _replace(known, fault="")
        return known

    def _directed(self, model: str, message: str, after_tool: bool) -> tuple[Behaviour, Rule | None]:
        behaviour = self._behaviour(model)
        if self._script is None or behaviour.speech == "mirror":
            return behaviour, None
        rule = self._script.find(model.removeprefix(PREFIX), message, after_tool)
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

    def _chat(self, request: ChatRequest, body: bytes, headers: Headers, now: int) -> Performance:
        question = asked.of_chat(request)
        behaviour, rule = self._directed(request.model, question.message, question.after_tool)
        if instead := faults.INSTEAD.get(behaviour.fault):
            return instead(OPENAI, behaviour, headers, now)
        said = saying.said(question, behaviour, rule, body)
        choices = [said] * saying.copies(request.n, said)
        return self._staged(chat, request, choices, question.prompt, behaviour, rule, headers, now)

    def _completion(self, request: CompletionRequest, body: bytes, headers: Headers, now: int) -> Performance:
        prompts = inputs("" if request.prompt is None else request.prompt, "prompt")
        last = prompts[-1]
        behaviour, rule = self._directed(request.model, last if isinstance(last, str) else "", False)
        if instead := faults.INSTEAD.get(behaviour.fault):
            return instead(OPENAI, behaviour, headers, now)
        choices: list[Said] = []
        size = 0
        for prompt in prompts:
            shown = prompt if isinstance(prompt, str) else " ".join(map(str, prompt))
            words = rule.reply if rule is not None else None
            if words is None:
                words = saying.SPEECH[behaviour.speech](behaviour, shown, body)
            stop = (request.stop,) if isinstance(request.stop, str) else tuple(request.stop or ())
            said = saying.bounded(words, behaviour, stop, request.max_tokens)
            if request.echo:
                said.text = shown + said.text
            choices += [said] * saying.copies(request.n, said)
            size += len(said.text) * (request.n or 1)
            if size > saying.MOST_CHARACTERS:
                raise Refused("the answer would be too long; ask for fewer prompts or a smaller 'n'.", "prompt")
        counted = sum(text.count(prompt) if isinstance(prompt, str) else len(prompt) for prompt in prompts)
        return self._staged(completions, request, choices, counted, behaviour, rule, headers, now)

    def _embedding(self, request: EmbeddingRequest, body: bytes, headers: Headers, now: int) -> Performance:
        first = request.input if isinstance(request.input, str) else ""
        behaviour, _ = self._directed(request.model, first, False)
        if instead := faults.INSTEAD.get(behaviour.fault):
            return instead(OPENAI, behaviour, headers, now)
        size = embeddings.tokens(request)
        counted = _spoiled(embeddings.usage_of(size), behaviour)
        answer = embeddings.whole(request, _encode(request.model), behaviour.dim, counted)
        return faults.whole(answer, 0, headers, behaviour)

    def _staged(
        self,
        shape: ModuleType,
        request: ChatRequest | CompletionRequest,
        choices: list[Said],
        prompt: int,
        behaviour: Behaviour,
        rule: Rule | None,
        headers: Headers,
        now: int,
    ) -> Performance:
        extra = spoiling.UNKNOWN_FIELDS if behaviour.speech == "mirror" else b""
        prefix = "chatcmpl-" if shape is chat else "cmpl-"
        envelope = Envelope(f"{prefix}{self._ids.getrandbits(116):029x}", now, _encode(request.model), extra)
        tokens = sum([choice.tokens() for choice in choices])
        if request.logprobs and tokens > _MOST_LOGPROBS:
            raise Refused(f"'logprobs' are given for at most {_MOST_LOGPROBS} tokens.", "logprobs")
        counted = _spoiled(
            usage(numbers(prompt, tokens, _thought(choices), rule.usage if rule is not None else None)), behaviour
        )
        if not request.stream:
            if behaviour.fault == "cut-clean":
                choices = [Said(choice.text[: behaviour.after * text.PIECE], finish=None) for choice in choices]
            body = shape.whole(choices, envelope, counted, bool(request.logprobs))
            return faults.whole(body, tokens, headers, behaviour)
        asked = request.stream_options is not None and request.stream_options.include_usage
        frames = shape.frames(choices, envelope, counted if asked else b"", bool(request.logprobs))
        return faults.stream(frames, headers, behaviour)


class _Operation(msgspec.Struct, frozen=True, eq=False):
    decoder: Any
    answer: Callable[[Brain, Any, bytes, Headers, int], Performance]


_OPERATIONS = {
    "chat": _Operation(msgspec.json.Decoder(ChatRequest), Brain._chat),
    "completions": _Operation(msgspec.json.Decoder(CompletionRequest), Brain._completion),
    "embeddings": _Operation(msgspec.json.Decoder(EmbeddingRequest), Brain._embedding),
}
_GENERATING = frozenset({"responses", "messages", "generate", "converse"})
_ROUTES = {path: Route(name) for path, name in ((b"/v1/chat/completions", "chat"), (b"/v1/embeddings", "embeddings"))}
"""The paths that are asked for most, without a search."""


_USAGE_FAULTS: dict[str, Callable[[Behaviour], bytes]] = {
    "no-usage": lambda behaviour: b"",
    "bad-usage": lambda behaviour: spoiling.OPENAI[behaviour.kind],
}


def _spoiled(counted: bytes, behaviour: Behaviour) -> bytes:
    spoiling = _USAGE_FAULTS.get(behaviour.fault)
    return spoiling(behaviour) if spoiling is not None else counted


def _thought(choices: list[Said]) -> int:
    return sum([choice.thinking_tokens() for choice in choices])


def _shown(path: bytes) -> str:
    return path[:200].decode("latin-1")


def _refusal(
    dialect: Dialect, status: int, message: str, headers: Headers, code: str | None = None, param: str | None = None
) -> Performance:
    body = dialect.error(status, message, "invalid_request_error", code, param)
    return faults.document(status, body, headers + dialect.error_headers(status))


def _refused(dialect: Dialect, error: CallError, headers: Headers) -> Performance:
    body = dialect.error(error.status, error.message, error.kind, error.code, error.param)
    return faults.document(error.status, body, headers + dialect.error_headers(error.status))
