"""The brain: from a request to a performance, without a socket and without a clock."""

import base64
import random
from collections.abc import Callable
from types import ModuleType
from typing import Any
from urllib.parse import unquote

import msgspec

from antiphon.sim import chat, completions, embeddings, faults, text
from antiphon.sim.behaviour import KINDS, PREFIX, Behaviour, UnknownBehaviour, parse
from antiphon.sim.fabricate import fabricated
from antiphon.sim.performance import Performance
from antiphon.sim.requests import ChatRequest, CompletionRequest, EmbeddingRequest, Refused, inputs
from antiphon.sim.script import Rule, Script
from antiphon.sim.speech import Envelope, Said, ToolCall, limited, usage
from antiphon.transport.seam import Headers

_encode = msgspec.json.encode
_replace = msgspec.structs.replace
_KNOWN_NAMES = 1024
# An answer is made in one go, and in the gateway's own process: none may hold up the others for long.
_MOST_CHARACTERS = 64 * 2**20
_MOST_LOGPROBS = 100_000
_UNKNOWN_FIELDS = b',"x_sim" : {"kept": [1.50, 1e2, -0.0, 123456789012345678901234567890, "\\u00e9\\/", null ] }'
_BAD_USAGE = {
    "negative": b'{"prompt_tokens":-5,"completion_tokens":-7,"total_tokens":-12}',
    "huge": b'{"prompt_tokens":9e99,"completion_tokens":99999999999999999999999,"total_tokens":1}',
    "nan": b'{"prompt_tokens":NaN,"completion_tokens":Infinity,"total_tokens":NaN}',
    "text": b'{"prompt_tokens":"many","completion_tokens":[],"total_tokens":{}}',
    "null": b"null",
}


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

    def perform(self, method: bytes, path: bytes, body: bytes, now: int) -> Performance:
        """Return the answer to one request; ``now`` is seconds since the epoch. Never raises for what a caller sent."""
        headers: Headers = [(b"x-request-id", b"req_%032x" % self._ids.getrandbits(128))]
        operation = _OPERATIONS.get(path) or _operation(path)
        if operation is None:
            return self._elsewhere(method, path, headers)
        if method != b"POST":
            return _refusal(405, f"{_shown(path)} takes POST only.", headers, code="method_not_allowed")
        request: Any = None
        try:
            request = operation.decoder.decode(body)
            answer = operation.answer(self, request, body, headers, now)
        except Refused as error:
            answer = _refusal(400, str(error), headers, param=error.param)
        except UnknownBehaviour as error:
            answer = _refusal(404, str(error), headers, code="model_not_found", param="model")
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            answer = _refusal(400, f"The body is not a request of this kind: {error}", headers)
        answer.operation = operation.name
        answer.model = request.model if request is not None else ""
        return answer

    def _elsewhere(self, method: bytes, path: bytes, headers: Headers) -> Performance:
        _, found, name = path.partition(b"?")[0].partition(b"/models")
        if not found:
            known = ", ".join(f"/v1{route.decode()}" for route in (*_ROUTES, b"/models"))
            return _refusal(404, f"There is nothing at {_shown(path)}; known: {known}", headers, code="not_found")
        if method not in (b"GET", b"HEAD"):
            return _refusal(405, "The list of models takes GET only.", headers, code="method_not_allowed")
        return self._models(unquote(name.removeprefix(b"/")), headers)

    def _models(self, name: str, headers: Headers) -> Performance:
        if not name:
            listed = [{"id": known, "object": "model", "created": 0, "owned_by": "sim"} for known in KINDS]
            return faults.document(200, _encode({"object": "list", "data": listed}), headers)
        try:
            self._behaviour(name)
        except UnknownBehaviour as error:
            return _refusal(404, str(error), headers, code="model_not_found", param="model")
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
        if not request.messages:
            raise Refused("'messages' must not be empty.", "messages")
        message = _last_user_message(request)
        after_tool = request.messages[-1].role == "tool"
        behaviour, rule = self._directed(request.model, message, after_tool)
        if instead := faults.INSTEAD.get(behaviour.fault):
            return instead(behaviour, headers, now)
        said = _called(request, rule, message, after_tool)
        if said is None:
            words = rule.reply if rule is not None else None
            if words is None:
                words = _formed(request, _SPEECH[behaviour.speech](behaviour, message, body))
            most = request.max_tokens if request.max_completion_tokens is None else request.max_completion_tokens
            said = _limited(words, behaviour, request.stop, most)
        choices = [said] * _copies(request.n, said)
        prompt = 3 + sum([item.tokens() for item in request.messages])
        return self._staged(chat, request, choices, prompt, behaviour, rule, headers, now)

    def _completion(self, request: CompletionRequest, body: bytes, headers: Headers, now: int) -> Performance:
        prompts = inputs("" if request.prompt is None else request.prompt, "prompt")
        last = prompts[-1]
        behaviour, rule = self._directed(request.model, last if isinstance(last, str) else "", False)
        if instead := faults.INSTEAD.get(behaviour.fault):
            return instead(behaviour, headers, now)
        choices: list[Said] = []
        size = 0
        for prompt in prompts:
            shown = prompt if isinstance(prompt, str) else " ".join(map(str, prompt))
            words = rule.reply if rule is not None else None
            if words is None:
                words = _SPEECH[behaviour.speech](behaviour, shown, body)
            said = _limited(words, behaviour, request.stop, request.max_tokens)
            if request.echo:
                said.text = shown + said.text
            choices += [said] * _copies(request.n, said)
            size += len(said.text) * (request.n or 1)
            if size > _MOST_CHARACTERS:
                raise Refused("the answer would be too long; ask for fewer prompts or a smaller 'n'.", "prompt")
        counted = sum(text.count(prompt) if isinstance(prompt, str) else len(prompt) for prompt in prompts)
        return self._staged(completions, request, choices, counted, behaviour, rule, headers, now)

    def _embedding(self, request: EmbeddingRequest, body: bytes, headers: Headers, now: int) -> Performance:
        first = request.input if isinstance(request.input, str) else ""
        behaviour, _ = self._directed(request.model, first, False)
        if instead := faults.INSTEAD.get(behaviour.fault):
            return instead(behaviour, headers, now)
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
        extra = _UNKNOWN_FIELDS if behaviour.speech == "mirror" else b""
        prefix = "chatcmpl-" if shape is chat else "cmpl-"
        envelope = Envelope(f"{prefix}{self._ids.getrandbits(116):029x}", now, _encode(request.model), extra)
        tokens = sum([choice.tokens() for choice in choices])
        if request.logprobs and tokens > _MOST_LOGPROBS:
            raise Refused(f"'logprobs' are given for at most {_MOST_LOGPROBS} tokens.", "logprobs")
        counted = _spoiled(usage(prompt, tokens, rule.usage if rule is not None else None), behaviour)
        if not request.stream:
            if behaviour.fault == "cut-clean":
                choices = [Said(choice.text[: behaviour.after * text.PIECE], finish=None) for choice in choices]
            body = shape.whole(choices, envelope, counted, bool(request.logprobs))
            return faults.whole(body, tokens, headers, behaviour)
        asked = request.stream_options is not None and request.stream_options.include_usage
        frames = shape.frames(choices, envelope, counted if asked else b"", bool(request.logprobs))
        return faults.stream(frames, headers, behaviour)


class _Operation(msgspec.Struct, frozen=True, eq=False):
    name: str
    decoder: Any
    answer: Callable[[Brain, Any, bytes, Headers, int], Performance]


_ROUTES = {
    b"/chat/completions": _Operation("chat", msgspec.json.Decoder(ChatRequest), Brain._chat),
    b"/completions": _Operation("completions", msgspec.json.Decoder(CompletionRequest), Brain._completion),
    b"/embeddings": _Operation("embeddings", msgspec.json.Decoder(EmbeddingRequest), Brain._embedding),
}
_OPERATIONS = {b"/v1" + route: operation for route, operation in _ROUTES.items()}


def _operation(path: bytes) -> _Operation | None:
    path = path.partition(b"?")[0]
    for route, operation in _ROUTES.items():
        if path.endswith(route):
            return operation
    return None


_SPEECH: dict[str, Callable[[Behaviour, str, bytes], str]] = {
    "echo": lambda behaviour, message, body: message,
    "lorem": lambda behaviour, message, body: text.lorem(behaviour.tokens),
    "mirror": lambda behaviour, message, body: base64.b64encode(body).decode(),
}

_USAGE_FAULTS: dict[str, Callable[[Behaviour], bytes]] = {
    "no-usage": lambda behaviour: b"",
    "bad-usage": lambda behaviour: _BAD_USAGE[behaviour.kind],
}


def _spoiled(counted: bytes, behaviour: Behaviour) -> bytes:
    spoiling = _USAGE_FAULTS.get(behaviour.fault)
    return spoiling(behaviour) if spoiling is not None else counted


def _limited(words: str, behaviour: Behaviour, stop: str | list[str] | None, most: int | None) -> Said:
    if behaviour.speech == "mirror":
        return Said(words, whole=True)
    return limited(words, stop, most)


def _last_user_message(request: ChatRequest) -> str:
    for message in reversed(request.messages):
        if message.role == "user":
            return message.words()
    return request.messages[-1].words()


def _called(request: ChatRequest, rule: Rule | None, message: str, after_tool: bool) -> Said | None:
    """Return the tool calls which the script or the request's ``tool_choice`` asks for."""
    if rule is not None:
        if rule.tools and not after_tool:
            return Said(tools=rule.tools, finish="tool_calls")
        if rule.reply is not None:
            return None
    choice = request.tool_choice
    if choice in (None, "none", "auto"):
        return None
    offered = {tool.function.name: tool.function for tool in request.tools or () if tool.function is not None}
    named = choice.get("function") if isinstance(choice, dict) else None
    name = named.get("name") if isinstance(named, dict) else next(iter(offered), None)
    if not isinstance(name, str) or name not in offered:
        raise Refused("'tool_choice' asks for a function that is not in 'tools'.", "tool_choice")
    arguments = fabricated(offered[name].parameters, message)
    return Said(tools=(ToolCall(name, arguments),), finish="tool_calls")


def _formed(request: ChatRequest, words: str) -> str:
    """Return what was said in the form which the request's ``response_format`` asks for."""
    form = request.response_format
    if form is None or form.type == "text":
        return words
    if form.type == "json_object":
        return _encode({"text": words}).decode()
    if form.type != "json_schema" or form.json_schema is None:
        raise Refused("'response_format' must be text, json_object or json_schema with its schema.", "response_format")
    return fabricated(form.json_schema.schema, words)


def _copies(n: int | None, said: Said) -> int:
    copies = 1 if n is None else n
    if not 1 <= copies <= 128:
        raise Refused("'n' must be from 1 to 128.", "n")
    if copies * len(said.text) > _MOST_CHARACTERS:
        raise Refused("the answer would be too long; ask for a smaller 'n'.", "n")
    return copies


def _shown(path: bytes) -> str:
    return path[:200].decode("latin-1")


def _refusal(
    status: int, message: str, headers: Headers, code: str | None = None, param: str | None = None
) -> Performance:
    return faults.document(status, faults.error(message, "invalid_request_error", code, param), headers)
