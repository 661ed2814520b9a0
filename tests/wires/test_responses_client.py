"""The official client against a server that answers with what the Responses codec writes."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import openai
import pytest
from pydantic import BaseModel

from antiphon.errors import BadRequest, NotFound, Truncated
from antiphon.types import Usage
from antiphon.wires.responses import History, Responses, ResponsesCodec, Turn
from antiphon.wires.responses import history as histories
from antiphon.wires.translation.neutral import (
    Annotation,
    BlockStart,
    BlockStop,
    Delta,
    Event,
    Finish,
    Request,
    Start,
    StreamEnd,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    UsageUpdate,
)

CODEC, WIRE = ResponsesCodec(), Responses()
USAGE = Usage(input=20, cache_read=5, cache_write=2, output=7, reasoning=3)
END: list[Event] = [UsageUpdate(USAGE), StreamEnd()]
Brain = Callable[[Request], list[Event]]


def make_text_events(*texts: str, finish: Any = "stop") -> list[Event]:
    deltas = [Delta(0, text) for text in texts]
    return [Start("msg_1", "claude-x"), BlockStart(0, "text"), *deltas, BlockStop(0), Finish(finish), *END]


def make_call_events(*named: tuple[str, str, str], thinking: bool = False) -> list[Event]:
    events: list[Event] = [Start("msg_1", "claude-x")]
    if thinking:
        mark = Annotation(0, signature="c2lnbmF0dXJl", wire="anthropic")
        events += [BlockStart(0, "thinking"), Delta(0, "Let me "), Delta(0, "see."), mark, BlockStop(0)]
    for index, (call_id, name, arguments) in enumerate(named, len(events) > 1):
        pieces = [Delta(index, arguments[i : i + 5]) for i in range(0, len(arguments), 5)]
        events += [BlockStart(index, "tool", id=call_id, name=name), *pieces, BlockStop(index)]
    return [*events, Finish("tool_calls"), *END]


class Gateway(ThreadingHTTPServer):
    """Answers POST /v1/responses with the events of ``brain``, stores the answers, and serves the stored ones."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.brain: Brain = lambda request: make_text_events("Hello")
        self.cut: int | None = None
        self.seen: list[Request] = []
        self.stored: dict[str, bytes] = {}

    def find_history(self, response_id: str) -> History:
        turns: list[Turn] = []
        while response_id:
            if response_id not in self.stored:
                raise histories.make_previous_not_found(response_id)
            turns.insert(0, Turn.decode(self.stored[response_id]))
            response_id = turns[0].previous
        return History(turns)


class Handler(BaseHTTPRequestHandler):
    server: Gateway
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: Any) -> None:
        pass

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        try:
            self.respond(body)
        except BadRequest as error:
            self.send(WIRE.write_error_body(error), error.status)

    def respond(self, body: bytes) -> None:
        envelope, server = WIRE.peek(body), self.server
        document = envelope.document
        history = server.find_history(document.get("previous_response_id") or "")
        request = CODEC.read_request(history.join(document), envelope.model, envelope.stream)
        server.seen.append(request)
        writer = CODEC.make_writer(request)
        events = server.brain(request)
        cut = events[: server.cut]
        frames = [writer.write(event) for event in cut]
        if len(cut) < len(events):
            frames.append(writer.fail(Truncated("The provider ended its answer early.")))
        elif histories.may_store(document):
            turn = history.make_turn(document, writer.response)
            server.stored[turn.id] = turn.encode()
        if envelope.stream:
            self.send(b"".join(frames), 200, "text/event-stream")
        else:
            self.send(writer.response)

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        response_id, _, listing = path.removeprefix("/v1/responses/").partition("/")
        if response_id not in self.server.stored:
            error: NotFound = histories.make_response_not_found(response_id)
            self.send(WIRE.write_error_body(error), error.status)
        elif listing:
            options: dict[str, Any] = dict(pair.split("=") for pair in query.split("&") if pair)
            options |= {"limit": int(options["limit"])} if "limit" in options else {}
            self.send(self.server.find_history(response_id).write_page(**options))
        else:
            self.send(json.dumps(Turn.decode(self.server.stored[response_id]).response).encode())

    def do_DELETE(self) -> None:
        response_id = self.path.removeprefix("/v1/responses/")
        del self.server.stored[response_id]
        self.send(histories.write_deletion(response_id))

    def send(self, body: bytes, status: int = 200, kind: str = "application/json") -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    server = Gateway()
    runner = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    runner.start()
    yield server
    server.shutdown()
    runner.join()
    server.server_close()


@pytest.fixture
def client(gateway: Gateway) -> Iterator[openai.OpenAI]:
    base = f"http://127.0.0.1:{gateway.server_port}/v1"
    with openai.OpenAI(api_key="k", base_url=base, max_retries=0) as made:
        yield made


def test_create(gateway: Gateway, client: openai.OpenAI) -> None:
    answer = client.responses.create(model="m", input="Hi", instructions="Be brief.", temperature=0.5)
    assert answer.output_text == "Hello"
    assert (answer.status, answer.error, answer.incomplete_details) == ("completed", None, None)
    assert (answer.model, answer.instructions, answer.temperature) == ("claude-x", "Be brief.", 0.5)
    usage = answer.usage
    assert usage is not None
    assert (usage.input_tokens, usage.output_tokens, usage.total_tokens) == (27, 10, 37)
    assert usage.input_tokens_details.cached_tokens == 5
    assert usage.input_tokens_details.cache_write_tokens == 2
    assert usage.output_tokens_details.reasoning_tokens == 3


def test_an_answer_cut_off_by_length(gateway: Gateway, client: openai.OpenAI) -> None:
    gateway.brain = lambda request: make_text_events("Hel", finish="length")
    answer = client.responses.create(model="m", input="Hi", max_output_tokens=16)
    assert answer.status == "incomplete"
    assert answer.incomplete_details is not None
    assert answer.incomplete_details.reason == "max_output_tokens"
    assert answer.max_output_tokens == 16
    assert answer.output[0].type == "message"
    assert answer.output[0].status == "incomplete"


def test_stream_events_in_order(gateway: Gateway, client: openai.OpenAI) -> None:
    gateway.brain = lambda request: make_call_events(("call_1", "look", '{"city":"Zürich"}'), thinking=True)
    with client.responses.create(model="m", input="Hi", stream=True) as stream:
        events = list(stream)
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert [event.type for event in events] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.reasoning_summary_part.added",
        "response.reasoning_summary_text.delta",
        "response.reasoning_summary_text.delta",
        "response.reasoning_summary_text.done",
        "response.reasoning_summary_part.done",
        "response.output_item.done",
        "response.output_item.added",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "response.output_item.done",
        "response.completed",
    ]


def test_stream_helper_accumulates(gateway: Gateway, client: openai.OpenAI) -> None:
    gateway.brain = lambda request: make_text_events("Hel", "lo", " you")
    with client.responses.stream(model="m", input="Hi") as stream:
        snapshots = [event.snapshot for event in stream if event.type == "response.output_text.delta"]
        final = stream.get_final_response()
    assert snapshots == ["Hel", "Hello", "Hello you"]
    assert final.output_text == "Hello you"


def test_parse_structured_output(gateway: Gateway, client: openai.OpenAI) -> None:
    class City(BaseModel):
        name: str
        people: int

    gateway.brain = lambda request: make_text_events('{"name":"Bern",', '"people":134000}')
    parsed = client.responses.parse(model="m", input="Capital?", text_format=City)
    assert parsed.output_parsed == City(name="Bern", people=134000)
    with client.responses.stream(model="m", input="Capital?", text_format=City) as stream:
        assert stream.get_final_response().output_parsed == City(name="Bern", people=134000)
    form = gateway.seen[-1].format
    assert form is not None
    assert (form.kind, form.name, form.strict) == ("schema", "City", True)


TOOL: Any = {
    "type": "function",
    "name": "look",
    "description": "Look.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    "strict": False,
}


def test_a_tool_turn_keeps_the_signature(gateway: Gateway, client: openai.OpenAI) -> None:
    """Without stored state the program sends the output items back unchanged."""
    gateway.brain = lambda request: make_call_events(
        ("call_1", "look", '{"city":"Bern"}'), ("call_2", "now", ""), thinking=True
    )
    conversation: list[Any] = [{"role": "user", "content": "Weather?"}]
    first = client.responses.create(model="m", input=conversation, tools=[TOOL], store=False)
    wanted = [item for item in first.output if item.type == "function_call"]
    assert [(item.call_id, item.arguments) for item in wanted] == [("call_1", '{"city":"Bern"}'), ("call_2", "{}")]
    conversation += [item.model_dump(exclude_none=True) for item in first.output]
    conversation += [{"type": "function_call_output", "call_id": item.call_id, "output": "sunny"} for item in wanted]
    gateway.brain = lambda request: make_text_events("Sunny.")
    assert client.responses.create(model="m", input=conversation, tools=[TOOL], store=False).output_text == "Sunny."
    assert [message.parts for message in gateway.seen[-1].messages] == [
        (Text("Weather?"),),
        (
            Thinking("Let me see.", "c2lnbmF0dXJl", wire="anthropic"),
            ToolCall("call_1", "look", '{"city":"Bern"}'),
            ToolCall("call_2", "now", "{}"),
        ),
        (ToolResult("call_1", (Text("sunny"),), "look"), ToolResult("call_2", (Text("sunny"),), "now")),
    ]
    assert gateway.stored == {}


def test_streamed_tools_parse_their_arguments(gateway: Gateway, client: openai.OpenAI) -> None:
    class Look(BaseModel):
        city: str

    gateway.brain = lambda request: make_call_events(("call_1", "Look", '{"city":"Zürich \\"x\\""}'))
    tool = openai.pydantic_function_tool(Look)["function"]
    strict: Any = {"type": "function", "strict": True, "name": "Look", "parameters": tool["parameters"]}
    with client.responses.stream(model="m", input="Hi", tools=[strict]) as stream:
        final = stream.get_final_response()
    call = final.output[0]
    assert call.type == "function_call"
    assert json.loads(call.arguments) == {"city": 'Zürich "x"'}
    assert call.parsed_arguments == {"city": 'Zürich "x"'}


def test_custom_tools_get_free_text(gateway: Gateway, client: openai.OpenAI) -> None:
    patch = "*** Begin\n+ü\n"
    gateway.brain = lambda request: make_call_events(("call_1", "patch", json.dumps({"input": patch})))
    grammar = {"type": "grammar", "syntax": "lark", "definition": 'start: "x"'}
    tool: Any = {"type": "custom", "name": "patch", "description": "Patch.", "format": grammar}
    with client.responses.create(model="m", input="Hi", tools=[tool], stream=True) as stream:
        events = list(stream)
    deltas = [event.delta for event in events if event.type == "response.custom_tool_call_input.delta"]
    assert "".join(deltas) == patch
    last = events[-1]
    assert last.type == "response.completed"
    call = last.response.output[0]
    assert call.type == "custom_tool_call"
    assert (call.call_id, call.name, call.input) == ("call_1", "patch", patch)
    (seen,) = gateway.seen[-1].tools
    assert seen.schema is not None
    assert list(seen.schema["properties"]) == ["input"]
    assert 'start: "x"' in seen.description
    result: Any = {"type": "custom_tool_call_output", "call_id": "call_1", "output": "done"}
    gateway.brain = lambda request: make_text_events("Patched.")
    again: list[Any] = [call.model_dump(exclude_none=True), result]
    assert client.responses.create(model="m", input=again, tools=[tool]).output_text == "Patched."
    assert gateway.seen[-1].messages[0].parts == (
        ToolCall("call_1", "patch", '{"input":' + json.dumps(patch, ensure_ascii=False) + "}"),
    )


def test_conversation_by_previous_response_id(gateway: Gateway, client: openai.OpenAI) -> None:
    first = client.responses.create(model="m", input="One", instructions="Count.")
    gateway.brain = lambda request: make_text_events("World")
    second = client.responses.create(model="m", input="Two", previous_response_id=first.id)
    third = client.responses.create(
        model="m", input=[{"role": "user", "content": "Three"}], previous_response_id=second.id
    )
    assert (second.previous_response_id, third.previous_response_id) == (first.id, second.id)
    request = gateway.seen[-1]
    assert [(message.role, message.parts) for message in request.messages] == [
        ("user", (Text("One"),)),
        ("assistant", (Text("Hello"),)),
        ("user", (Text("Two"),)),
        ("assistant", (Text("World"),)),
        ("user", (Text("Three"),)),
    ]
    assert request.system == ()  # instructions do not carry over
    assert request.extras == {}


def test_stored_responses_are_served_listed_and_deleted(gateway: Gateway, client: openai.OpenAI) -> None:
    first = client.responses.create(model="m", input="One")
    second = client.responses.create(model="m", input="Two", previous_response_id=first.id)
    assert client.responses.retrieve(second.id).output_text == second.output_text
    texts = [item.content[0].text for item in client.responses.input_items.list(second.id, order="asc", limit=1)]  # type: ignore[union-attr]
    assert texts == ["One", "Hello", "Two"]
    newest = client.responses.input_items.list(second.id, limit=1)
    assert newest.data[0].content[0].text == "Two"  # type: ignore[union-attr]
    assert newest.has_more
    client.responses.delete(first.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(first.id)
    with pytest.raises(openai.BadRequestError) as caught:
        client.responses.create(model="m", input="x", previous_response_id=first.id)
    assert (caught.value.code, caught.value.param) == ("previous_response_not_found", "previous_response_id")


def test_an_item_reference_finds_its_item(gateway: Gateway, client: openai.OpenAI) -> None:
    first = client.responses.create(model="m", input="One")
    again: Any = [{"type": "item_reference", "id": first.output[0].id}]
    client.responses.create(model="m", input=again, previous_response_id=first.id)
    assert [message.parts for message in gateway.seen[-1].messages] == [
        (Text("One"),),
        (Text("Hello"), Text("Hello")),
    ]
    with pytest.raises(openai.BadRequestError) as caught:
        client.responses.create(model="m", input=[{"type": "item_reference", "id": "msg_none"}])
    assert caught.value.code == "item_not_found"


@pytest.mark.parametrize("cut", range(1, 6))
def test_a_broken_stream_raises_an_error_and_has_a_failed_response(
    gateway: Gateway, client: openai.OpenAI, cut: int
) -> None:
    gateway.brain, gateway.cut = lambda request: make_text_events("Hel", "lo"), cut
    seen: list[Any] = []
    texts_so_far = ["", "", "Hel", "Hello", "Hello"]
    with (
        pytest.raises(openai.APIError, match="ended its answer early"),
        client.responses.create(model="m", input="Hi", stream=True) as stream,
    ):
        seen.extend(stream)
    assert [event.sequence_number for event in seen] == list(range(len(seen)))
    assert "".join(event.delta for event in seen if event.type == "response.output_text.delta") == texts_so_far[cut - 1]
    # Clients raise at the error event. After it comes the failed response with its output so far.
    with client.responses.with_streaming_response.create(model="m", input="Hi", stream=True) as raw:
        events = [json.loads(line[6:]) for line in raw.iter_lines() if line.startswith("data: ")]
    assert [event["type"] for event in events[-2:]] == ["error", "response.failed"]
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    failed = events[-1]["response"]
    assert (failed["status"], failed["error"]["code"]) == ("failed", "server_error")
    texts = [part["text"] for item in failed["output"] for part in item["content"]]
    assert "".join(texts) == texts_so_far[cut - 1]
    with (
        pytest.raises(openai.APIError, match="ended its answer early"),
        client.responses.stream(model="m", input="Hi") as helped,
    ):
        helped.get_final_response()


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"model": "m", "input": []}, "input"),
        ({"model": "m", "input": [{"type": "web_search_call", "id": "ws_1"}]}, "input[0]"),
        ({"model": "m", "input": "x", "tool_choice": "sometimes"}, "tool_choice"),
        ({"model": "m", "input": "x", "conversation": "conv_1"}, "conversation"),
    ],
)
def test_bad_requests_raise_the_clients_own_error(client: openai.OpenAI, body: Any, param: str) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.responses.create(**body)
    assert caught.value.param == param
    assert caught.value.type == "invalid_request_error"


async def test_async_client(gateway: Gateway) -> None:
    gateway.brain = lambda request: make_text_events("Hel", "lo")
    base = f"http://127.0.0.1:{gateway.server_port}/v1"
    async with openai.AsyncOpenAI(api_key="k", base_url=base, max_retries=0) as client:
        async with client.responses.stream(model="m", input="Hi") as stream:
            final = await stream.get_final_response()
        assert final.output_text == "Hello"
        raw = await client.responses.with_raw_response.create(model="m", input="Hi")
        assert json.loads(raw.text)["object"] == "response"
