"""The official google-genai client against the codec: its requests are read, and it reads the answers."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from google import genai
from google.genai import errors, types

from antiphon.errors import CallError, ModelNotFound, RateLimited, Truncated, Unauthorized
from antiphon.types import Origin, Target, Usage
from antiphon.wires.gemini import CountTokens, EmbedBatch, Gemini, Generate, read_address
from antiphon.wires.translation.neutral import (
    Annotation,
    BlockStart,
    BlockStop,
    Choice,
    Delta,
    Event,
    Finish,
    Image,
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

CODEC = Gemini()
WIRES: dict[str, Any] = {wire.operation: wire for wire in (Generate(), CountTokens(), EmbedBatch())}
TARGET = Target("p/up", "p", "up", "kind", "openai", Origin("http", "h", 80), {})
USAGE = Usage(input=20, cache_read=10, output=12, reasoning=20)


class GeminiServer:
    """A server that gives the next prepared reply and records the requests."""

    def __init__(self) -> None:
        self.url = ""
        self.replies: list[Reply | list[Event | CallError | bytes] | CallError | bytes] = []
        self.requests: list[Request] = []
        self.keys: list[str | None] = []

    def open_client(self) -> genai.Client:
        once = types.HttpRetryOptions(attempts=1)
        return genai.Client(api_key="ap-key", http_options=types.HttpOptions(base_url=self.url, retry_options=once))

    def answer(self, path: str, body: bytes) -> tuple[int, str, Iterator[bytes]]:
        version, _, rest = path[1:].partition("/")
        assert version in ("v1", "v1beta")
        tail, _, query = rest.partition("?")
        address = read_address(tail, query)
        envelope = WIRES[address.operation].peek(body, address.model, address.stream)
        reply = self.replies.pop(0)
        if isinstance(reply, CallError):
            raise reply
        if isinstance(reply, bytes):
            return 200, "application/json", iter([reply])
        request = CODEC.read_request(envelope.document, address.model, address.stream)
        CODEC.write_request(request, TARGET)
        self.requests.append(request)
        if isinstance(reply, Reply):
            return 200, "application/json", iter([CODEC.write_reply(reply, request)])
        return 200, "text/event-stream", self.write_frames(reply, request)

    def write_frames(self, events: list[Event | CallError | bytes], request: Request) -> Iterator[bytes]:
        writer = CODEC.make_writer(request)
        for event in events:
            if isinstance(event, bytes):
                yield event
            elif isinstance(event, CallError):
                yield writer.fail(event)
            else:
                yield writer.write(event)


@pytest.fixture
def server() -> Iterator[GeminiServer]:
    state = GeminiServer()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            state.keys.append(self.headers["x-goog-api-key"])
            body = self.rfile.read(int(self.headers["content-length"]))
            try:
                status, kind, pieces = state.answer(self.path, body)
            except CallError as error:
                status, kind, pieces = (
                    error.status,
                    "application/json",
                    iter([WIRES["generate"].write_error_body(error)]),
                )
            self.send_response(status)
            self.send_header("content-type", kind)
            self.end_headers()
            for piece in pieces:
                self.wfile.write(piece)
                self.wfile.flush()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield state
    server.shutdown()
    thread.join()
    server.server_close()


def reply(*parts: Any, finish: Any = "stop") -> Reply:
    return Reply(id="r1", model="served", choices=(Choice(tuple(parts), Finish(finish)),), usage=USAGE)


def test_a_whole_answer(server: GeminiServer) -> None:
    server.replies.append(
        reply(Thinking("Hm.", "c2ln", wire="anthropic"), Text("Grüße"), ToolCall("c1", "f", '{"a": [1]}'))
    )
    config = types.GenerateContentConfig(
        system_instruction="Be brief.",
        temperature=0.5,
        top_k=40,
        max_output_tokens=64,
        stop_sequences=["END"],
        candidate_count=1,
        seed=3,
        response_mime_type="application/json",
        response_json_schema={"type": "object"},
        thinking_config=types.ThinkingConfig(thinking_level=types.ThinkingLevel.LOW, include_thoughts=True),
        tool_config=types.ToolConfig(
            function_calling_config=types.FunctionCallingConfig(
                mode=types.FunctionCallingConfigMode.ANY, allowed_function_names=["f"]
            )
        ),
        tools=[types.Tool(function_declarations=[types.FunctionDeclaration(name="f", parameters_json_schema={
            "type": "object", "properties": {"snake_case": {"type": "array"}}})])],
    )  # fmt: skip
    image = types.Part.from_bytes(data=b"\x89PNG", mime_type="image/png")
    with server.open_client() as client:
        answer = client.models.generate_content(model="openai/gpt-4o", contents=["What?", image], config=config)
    assert server.keys == ["ap-key"]
    request = server.requests[0]
    assert request.model == "openai/gpt-4o"
    assert request.system == (Text("Be brief."),)
    assert request.messages[0].parts == (Text("What?"), Image(data="iVBORw==", media_type="image/png"))
    assert (request.top_k, request.max_tokens, request.stop, request.seed) == (40, 64, ("END",), 3)
    assert request.tools[0].schema == {"type": "object", "properties": {"snake_case": {"type": "array"}}}
    assert request.tool_choice is not None
    assert request.tool_choice.names == ("f",)
    assert request.reasoning is not None
    assert (request.reasoning.effort, request.reasoning.summary) == ("low", "auto")
    assert request.format is not None
    parts = answer.parts or []
    assert (parts[0].text, parts[0].thought, parts[1].text) == ("Hm.", True, "Grüße")
    assert answer.function_calls == [types.FunctionCall(id="c1", name="f", args={"a": [1]})]
    assert answer.usage_metadata is not None
    assert answer.usage_metadata.total_token_count == USAGE.total
    assert answer.usage_metadata.thoughts_token_count == 20
    assert answer.candidates
    assert answer.candidates[0].finish_reason == types.FinishReason.STOP
    assert (answer.response_id, answer.model_version) == ("r1", "served")


def make_events(*inner: Event, finish: Any = "stop") -> list[Any]:
    return [Start("r1", "served"), *inner, Finish(finish), UsageUpdate(USAGE), StreamEnd()]


def test_a_tool_conversation_in_a_chat_keeps_every_signature(server: GeminiServer) -> None:
    heartbeat = WIRES["generate"].heartbeat
    server.replies += [
        [heartbeat, *make_events(
            BlockStart(0, "thinking"), Delta(0, "Let me "), Delta(0, "see"),
            Annotation(0, signature="c2ln", wire="anthropic"),
            BlockStop(0), BlockStart(1, "text"), Delta(1, "Loo"), Delta(1, "king."), BlockStop(1),
            BlockStart(2, "tool", "c1", "f"), Delta(2, '{"ci'), Delta(2, 'ty":"Köln"}'),
            Annotation(2, signature="QUJDRA==", wire="gemini"), BlockStop(2), finish="tool_calls"), heartbeat],
        make_events(BlockStart(0, "text"), Delta(0, "Sunny."), BlockStop(0)),
        reply(Text("Bye.")),
    ]  # fmt: skip
    with server.open_client() as client:
        chat = client.chats.create(model="m")
        chunks = list(chat.send_message_stream("Weather?"))
        calls = [call for chunk in chunks for call in chunk.function_calls or []]
        assert [(call.id, call.name, call.args) for call in calls] == [("c1", "f", {"city": "Köln"})]
        assert chunks[-1].usage_metadata is not None
        result = types.Part(function_response=types.FunctionResponse(id="c1", name="f", response={"output": "sun"}))
        assert "".join(chunk.text or "" for chunk in chat.send_message_stream(result)) == "Sunny."
        assert chat.send_message("Thanks").text == "Bye."
    again = server.requests[2].messages
    assert again[1].parts == (
        Thinking("Let me see", "c2ln", wire="anthropic"),
        Text("Looking."),
        ToolCall("c1", "f", '{"city":"Köln"}', "QUJDRA=="),
    )
    assert again[2].parts == (ToolResult("c1", (Text("sun"),), name="f"),)
    assert again[3].parts == (Text("Sunny."),)
    assert again[4].parts == (Text("Thanks"),)


def test_a_blocked_answer_and_an_empty_one(server: GeminiServer) -> None:
    server.replies += [reply(finish="content_filter"), make_events(finish="length")]
    with server.open_client() as client:
        blocked = client.models.generate_content(model="m", contents="x")
        assert blocked.candidates
        assert blocked.candidates[0].finish_reason == types.FinishReason.SAFETY
        chunks = list(client.models.generate_content_stream(model="m", contents="x"))
        assert chunks[-1].candidates
        assert chunks[-1].candidates[0].finish_reason == types.FinishReason.MAX_TOKENS


@pytest.mark.parametrize(
    ("error", "kind", "status"),
    [
        (Unauthorized("No such key."), errors.ClientError, "UNAUTHENTICATED"),
        (ModelNotFound("No such model."), errors.ClientError, "NOT_FOUND"),
        (RateLimited("Slow down.", status=429, body=b"", headers=()), errors.ClientError, "RESOURCE_EXHAUSTED"),
        (CallError("Broke.", status=503), errors.ServerError, "UNAVAILABLE"),
    ],
)
def test_errors_raise_the_clients_own_classes(
    server: GeminiServer, error: CallError, kind: type[errors.APIError], status: str
) -> None:
    server.replies += [error, error]
    with server.open_client() as client:
        with pytest.raises(kind) as caught:
            client.models.generate_content(model="m", contents="x")
        assert (caught.value.code, caught.value.status, caught.value.message) == (error.status, status, error.message)
        with pytest.raises(kind) as caught:
            list(client.models.generate_content_stream(model="m", contents="x"))
        assert caught.value.status == status


def test_a_broken_stream_raises_an_error_of_the_client(server: GeminiServer) -> None:
    broken: list[Any] = [Start("r", "m"), BlockStart(0, "text"), Delta(0, "half"), Truncated("It broke off.")]
    server.replies.append(broken)
    with server.open_client() as client:
        stream = client.models.generate_content_stream(model="m", contents="x")
        assert next(stream).text == "half"
        with pytest.raises(errors.ServerError, match="It broke off"):
            next(stream)


def test_counting_and_embedding(server: GeminiServer) -> None:
    server.replies += [b'{"totalTokens":31}', b'{"embeddings":[{"values":[0.5]},{"values":[1]}]}']
    with server.open_client() as client:
        assert client.models.count_tokens(model="m", contents="x").total_tokens == 31
        embedded = client.models.embed_content(
            model="gemini-embedding-001", contents=["a", "b"], config=types.EmbedContentConfig(output_dimensionality=1)
        )
        assert [vector.values for vector in embedded.embeddings or []] == [[0.5], [1.0]]


def test_written_requests_have_the_clients_own_types() -> None:
    request = CODEC.read_request(
        {
            "contents": [{"role": "user", "parts": [{"text": "x"}]}],
            "tools": [{"functionDeclarations": [{"name": "f", "parametersJsonSchema": {"type": "object"}}]}],
            "toolConfig": {"functionCallingConfig": {"mode": "VALIDATED"}},
            "generationConfig": {"topK": 3, "thinkingConfig": {"thinkingBudget": 128}, "responseLogprobs": True},
        },
        "m",
        False,
    )
    body = json.loads(CODEC.write_request(request, TARGET).body)
    assert types.ToolConfig.model_validate(body["toolConfig"])
    assert types.GenerationConfig.model_validate(body["generationConfig"]).top_k == 3
    assert [types.Tool.model_validate(tool) for tool in body["tools"]]
    assert [types.Content.model_validate(content) for content in body["contents"]]
