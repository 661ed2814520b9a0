"""The official client against a server that speaks this wire through the codec, as for a model of another wire."""

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import anthropic
import pydantic
import pytest

from antiphon.errors import CallError, RateLimited, Truncated, Unauthorized, UpstreamStatus, UpstreamTimeout
from antiphon.types import Usage
from antiphon.wires.anthropic import AnthropicCodec, CountTokens, Messages
from antiphon.wires.translation.neutral import (
    Annotation,
    BlockStart,
    BlockStop,
    Choice,
    Delta,
    Event,
    Finish,
    Reply,
    Request,
    Start,
    StreamEnd,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    UsageUpdate,
)

MODEL = "claude-opus-5-5"
CODEC, MESSAGES, COUNT = AnthropicCodec(), Messages(), CountTokens()
WEATHER: Any = {"name": "weather", "description": "Looks out.", "input_schema": {"type": "object", "properties": {}}}

Answer = Reply | list[Event] | CallError


class Model:
    """The model behind the server: it gives the next prepared answer and remembers the requests."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.asked: list[Request] = []
        self.headers: list[dict[str, str]] = []


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    model: Model

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.model.headers.append({name.lower(): value for name, value in self.headers.items()})
        try:
            if self.path.startswith("/v1/messages/count_tokens"):
                self._send(200, "application/json", b'{"input_tokens":%d}' % COUNT.count_input_bytes(COUNT.peek(body)))
            else:
                self._answer(body)
        except CallError as error:
            self._send(error.status, "application/json", MESSAGES.write_error_body(error))

    def _answer(self, body: bytes) -> None:
        envelope = MESSAGES.peek(body)
        request = CODEC.read_request(envelope.document, envelope.model, envelope.stream)
        self.model.asked.append(request)
        answer = self.model.answers.pop(0)
        if isinstance(answer, CallError) and not request.stream:
            raise answer
        if isinstance(answer, Reply):
            self._send(200, "application/json", CODEC.write_reply(answer, request))
            return
        writer = CODEC.make_writer(request)
        if isinstance(answer, CallError):
            frames = writer.write(Start("m", "m")) + writer.fail(answer)
        else:
            frames = b"".join(writer.write(event) for event in answer)
        self._send(200, "text/event-stream", frames)

    def _send(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("request-id", "call_1")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """Log nothing."""


@pytest.fixture
def model() -> Model:
    return Model()


@pytest.fixture
def client(model: Model) -> Iterator[anthropic.Anthropic]:
    handler = type("Bound", (Handler,), {"model": model})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}"
    with anthropic.Anthropic(base_url=url, api_key="ap-key", max_retries=0) as made:
        yield made
    server.shutdown()
    thread.join()
    server.server_close()


def say(*parts: Any, finish: Finish = Finish("stop")) -> Reply:  # noqa: B008
    usage = Usage(input=9, cache_read=3, output=4, reasoning=2)
    return Reply(id="chatcmpl-1", model="gpt-x", choices=(Choice(parts, finish),), usage=usage)


def stream(*blocks: list[Event], finish: Finish = Finish("stop")) -> list[Event]:  # noqa: B008
    events: list[Event] = [Start("chatcmpl-1", "gpt-x")]
    for block in blocks:
        events += block
    return [*events, finish, UsageUpdate(Usage(input=9, output=4, reasoning=2)), StreamEnd()]


@pytest.fixture
def ask(client: anthropic.Anthropic) -> Callable[..., Any]:
    def make(**more: Any) -> Any:
        request: dict[str, Any] = {
            "model": MODEL,
            "max_tokens": 100,
            "messages": [{"role": "user", "content": "Weather?"}],
            **more,
        }
        return client.messages.create(**request)

    return make


def test_a_plain_answer(model: Model, ask: Any) -> None:
    model.answers = [say(Text("Rain."))]
    message = ask(system="Be brief.")
    assert (message.content[0].text, message.stop_reason, message.model) == ("Rain.", "end_turn", "gpt-x")
    usage = message.usage
    assert (usage.input_tokens, usage.cache_read_input_tokens, usage.cache_creation_input_tokens) == (9, 3, 0)
    assert (usage.output_tokens, usage.output_tokens_details.thinking_tokens) == (6, 2)
    assert usage.cache_creation.ephemeral_5m_input_tokens == 0
    assert message._request_id == "call_1"
    assert model.asked[0].system == (Text("Be brief."),)


def test_headers_that_the_client_sends_by_itself(model: Model, ask: Any) -> None:
    model.answers = [say(Text("Rain."))]
    ask(extra_headers={"anthropic-beta": "context-1m-2025-08-07"})
    sent = model.headers[0]
    assert sent["authorization"] == "Bearer ap-key"
    assert {name.encode() for name in sent} >= MESSAGES.forwarded_headers


def test_a_streamed_tool_conversation_with_thinking(model: Model, client: anthropic.Anthropic) -> None:
    """The client returns thinking, its signature and a call's thought signature in the next turn."""
    model.answers = [
        stream(
            [BlockStart(0, "thinking"), Delta(0, "A tool knows."), Annotation(0, "c2ln", wire="gemini"), BlockStop(0)],
            [BlockStart(1, "text"), Delta(1, "Let me "), Delta(1, "see."), BlockStop(1)],
            [
                BlockStart(2, "tool", "call_1", "weather"),
                Annotation(2, "dGhvdWdodA", wire="gemini"),
                Delta(2, '{"city": "Zü'),
                Delta(2, 'rich"}'),
                BlockStop(2),
            ],
            [BlockStart(3, "tool", "call_2", "weather"), Delta(3, "{}"), BlockStop(3)],
            finish=Finish("tool_calls"),
        ),
        stream([BlockStart(0, "text"), Delta(0, "Rain in Zürich."), BlockStop(0)]),
    ]
    messages: list[Any] = [{"role": "user", "content": "Weather?"}]
    with client.messages.stream(model=MODEL, max_tokens=100, messages=messages, tools=[WEATHER]) as first:
        text = "".join(first.text_stream)
        message = first.get_final_message()
    assert (text, message.stop_reason) == ("Let me see.", "tool_use")
    calls = [block for block in message.content if block.type == "tool_use"]
    assert [(call.name, call.input) for call in calls] == [("weather", {"city": "Zürich"}), ("weather", {})]
    results = [{"type": "tool_result", "tool_use_id": call.id, "content": "Rain"} for call in calls]
    messages += [{"role": "assistant", "content": message.content}, {"role": "user", "content": results}]
    with client.messages.stream(model=MODEL, max_tokens=100, messages=messages, tools=[WEATHER]) as second:
        answer = second.get_final_message()
    assert answer.content[0].text == "Rain in Zürich."
    assert answer.usage.input_tokens == 9
    _, assistant, user = model.asked[1].messages
    assert assistant.parts == (
        Thinking("A tool knows.", "c2ln", wire="gemini"),
        Text("Let me see."),
        ToolCall("call_1", "weather", '{"city":"Zürich"}', "dGhvdWdodA"),
        ToolCall("call_2", "weather", "{}"),
    )
    assert user.parts == (ToolResult("call_1", (Text("Rain"),)), ToolResult("call_2", (Text("Rain"),)))


def test_structured_output_is_parsed(model: Model, client: anthropic.Anthropic) -> None:
    class City(pydantic.BaseModel):
        name: str

    model.answers = [say(Text('{"name":"Zürich"}'))]
    messages: list[Any] = [{"role": "user", "content": "Where?"}]
    parsed = client.messages.parse(model=MODEL, max_tokens=100, messages=messages, output_format=City)
    assert parsed.parsed_output == City(name="Zürich")
    form = model.asked[0].format
    assert form is not None
    assert form.schema is not None
    assert form.schema["required"] == ["name"]


def test_tokens_are_counted(client: anthropic.Anthropic) -> None:
    messages: list[Any] = [{"role": "user", "content": "x" * 40}]
    assert client.messages.count_tokens(model=MODEL, messages=messages).input_tokens == 40


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (Unauthorized("No key."), anthropic.AuthenticationError),
        (CallError("Pay.", status=402), anthropic.PaymentRequiredError),
        (CallError("Not yours.", status=403), anthropic.PermissionDeniedError),
        (CallError("No such model.", status=404), anthropic.NotFoundError),
        (CallError("Too large.", status=413), anthropic.ContentTooLargeError),
        (RateLimited("Slow down.", status=429, body=b"", headers=()), anthropic.RateLimitError),
        (CallError("Broken."), anthropic.InternalServerError),
        (CallError("Not now.", status=503), anthropic.ServiceUnavailableError),
        (UpstreamTimeout("Late.", phase="idle"), anthropic.GatewayTimeoutError),
        (UpstreamStatus("Overloaded.", status=529, body=b"", headers=()), anthropic.OverloadedError),
    ],
)
def test_errors_have_the_clients_own_classes(model: Model, ask: Any, error: CallError, kind: type[Any]) -> None:
    model.answers = [error]
    with pytest.raises(kind) as caught:
        ask()
    assert caught.value.status_code == error.status
    assert error.message in str(caught.value)


def test_an_empty_conversation_is_a_bad_request(ask: Any) -> None:
    with pytest.raises(anthropic.BadRequestError, match="messages"):
        ask(messages=[])


def test_a_broken_stream_raises(model: Model, client: anthropic.Anthropic) -> None:
    model.answers = [Truncated("Cut short.")]
    messages: list[Any] = [{"role": "user", "content": "x"}]
    with (
        client.messages.stream(model=MODEL, max_tokens=9, messages=messages) as broken,
        pytest.raises(anthropic.APIStatusError, match=r"Cut short\."),
    ):
        broken.get_final_message()


def test_a_client_with_a_thread_continues_without_it(model: Model, client: anthropic.Anthropic) -> None:
    """The client's helper knows both errors and sends the whole conversation instead."""
    model.answers = [say(Text("Hi.")), say(Text("Ho."))]
    thread = client.beta.messages.thread(model=MODEL, max_tokens=9, unsupported_request_behavior="continue_unthreaded")
    first = thread.send({"role": "user", "content": "One"})
    second = thread.send({"role": "user", "content": "Two"})
    assert (first.content[0].text, second.content[0].text) == ("Hi.", "Ho.")
    assert [len(request.messages) for request in model.asked] == [1, 3]


def test_thread_errors_have_their_classes(client: anthropic.Anthropic) -> None:
    request: dict[str, Any] = {"model": MODEL, "max_tokens": 9, "messages": [{"role": "user", "content": "x"}]}
    with pytest.raises(anthropic.BadRequestError) as created:
        client.beta.messages.create(**request, thread={"type": "create"}, betas=["message-threads-2026-08-12"])
    assert type(created.value).__name__ == "ThreadUnsupportedRequestError"
    with pytest.raises(anthropic.NotFoundError) as continued:
        client.beta.messages.create(**request, thread={"type": "continue", "previous_message_id": "msg_1"})
    assert type(continued.value).__name__ == "ThreadNotFoundError"
