"""boto3's own client calls us: we read its requests, check its signatures with our signer, and it reads our answers."""

import json
import threading
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import quote, unquote

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, EventStreamError

from antiphon.errors import (
    BadRequest,
    CallError,
    Forbidden,
    ModelNotFound,
    RateLimited,
    Truncated,
    Unavailable,
    UpstreamTimeout,
)
from antiphon.types import Secret, Usage
from antiphon.wires.aws.sigv4 import Signer
from antiphon.wires.bedrock import BedrockCodec, Converse
from antiphon.wires.translation.neutral import (
    Annotation,
    BlockStart,
    BlockStop,
    Choice,
    Delta,
    File,
    Finish,
    Image,
    Reply,
    Start,
    StreamEnd,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    UsageUpdate,
)

CODEC, WIRE = BedrockCodec(), Converse()
ACCESS, SECRET, TOKEN = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "FwoGZXIvYXdzEXAMPLE=="
MODEL = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
ARN = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-sonnet-4-5-20250929-v1:0"
USAGE = Usage(input=12, cache_read=4, output=9)
WEATHER = {"type": "object", "properties": {"city": {"type": "string"}}}


class Provider:
    """A service that answers by ``answer(request)``: a reply, a list of events, or an error."""

    def __init__(self):
        self.requests, self.paths, self.signed, self.headers = [], [], [], []
        self.answer = None

    def respond(self, handler):
        body = handler.rfile.read(int(handler.headers["content-length"]))
        model, last = handler.path.removeprefix("/model/").split("/")
        stream = last == "converse-stream"
        self.paths.append(handler.path)
        self.headers.append(handler.headers)
        self.signed.append(verify_signature(handler, body))
        try:
            envelope = WIRE.peek(body, unquote(model), stream)
            request = CODEC.read_request(envelope.document, envelope.model, stream)
            self.requests.append(request)
            answer = self.answer(request)
            if isinstance(answer, CallError):
                raise answer
        except CallError as error:
            return (
                error.status,
                [("content-type", "application/json"), *decode_headers(WIRE.list_error_headers(error))],
                WIRE.write_error_body(error),
            )
        if isinstance(answer, Reply):
            return 200, [("content-type", "application/json")], CODEC.write_reply(answer, request)
        writer = CODEC.make_writer(request)
        frames = [writer.fail(part) if isinstance(part, CallError) else writer.write(part) for part in answer]
        return 200, [("content-type", WIRE.stream_type)], b"".join(frames)


def decode_headers(headers):
    return [(name.decode(), value.decode()) for name, value in headers]


def verify_signature(handler, body):
    """Return whether a request has the signature that our signer makes; for a bearer key, return its header instead."""
    authorization = handler.headers["authorization"] or ""
    if not authorization.startswith("AWS4-HMAC-SHA256 "):
        return authorization
    fields = dict(field.split("=", 1) for field in authorization.removeprefix("AWS4-HMAC-SHA256 ").split(", "))
    _, _, region, service, _ = fields["Credential"].split("/")
    headers = [(name, handler.headers[name]) for name in fields["SignedHeaders"].split(";")]
    moment = datetime.strptime(handler.headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
    token = handler.headers["x-amz-security-token"]
    signer = Signer(ACCESS, Secret(SECRET), Secret(token) if token else None, region, service)
    added = dict(signer.sign(handler.command, handler.path, "", headers, body, moment))
    return added["authorization"] == authorization


@pytest.fixture
def provider():
    service = Provider()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            status, headers, body = service.respond(self)
            self.send_response(status)
            for name, value in [*headers, ("content-length", str(len(body)))]:
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    service.url = f"http://127.0.0.1:{server.server_port}"
    yield service
    server.shutdown()
    thread.join()
    server.server_close()


@contextmanager
def make_client(provider, token=None):
    client = boto3.client(
        "bedrock-runtime",
        region_name="us-east-1",
        endpoint_url=provider.url,
        aws_access_key_id=ACCESS,
        aws_secret_access_key=SECRET,
        aws_session_token=token,
        config=Config(retries={"total_max_attempts": 1}),
    )
    try:
        yield client
    finally:
        client.close()


def make_reply(*parts, finish=None):
    return Reply(id="x", model="m", choices=(Choice(parts, finish or Finish("stop")),), usage=USAGE)


def make_user_turn(*content):
    return [{"role": "user", "content": list(content)}]


@pytest.mark.parametrize("token", [None, TOKEN])
@pytest.mark.parametrize("model", [MODEL, ARN])
def test_boto3_sends_a_signed_call_and_reads_the_answer(provider, model, token):
    provider.answer = lambda request: make_reply(Text("Grüß Gott"))
    with make_client(provider, token) as client:
        got = client.converse(
            modelId=model,
            messages=make_user_turn({"text": "Hello"}),
            system=[{"text": "be kind"}],
            inferenceConfig={"maxTokens": 100, "temperature": 0.5, "topP": 0.9, "stopSequences": ["END"]},
        )
    assert got["output"]["message"] == {"role": "assistant", "content": [{"text": "Grüß Gott"}]}
    assert (got["stopReason"], got["metrics"]["latencyMs"]) == ("end_turn", 0)
    assert got["usage"] == {
        "inputTokens": 12, "outputTokens": 9, "totalTokens": 25, "cacheReadInputTokens": 4, "cacheWriteInputTokens": 0,
    }  # fmt: skip
    (request,) = provider.requests
    assert (request.model, request.stream, request.system) == (model, False, (Text("be kind"),))
    assert (request.max_tokens, request.temperature, request.top_p, request.stop) == (100, 0.5, 0.9, ("END",))
    assert provider.paths == [f"/model/{quote(model, safe='')}/converse"]
    assert provider.signed == [True]


def test_boto3_sends_a_bearer_key_as_a_plain_header(provider, monkeypatch):
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "bedrock-api-key-1")
    provider.answer = lambda request: make_reply(Text("x"))
    with pytest.MonkeyPatch.context() as patch:
        # The client requires TLS for a bearer key, and the server of this test has none.
        patch.setattr("botocore.auth.BearerAuth.add_auth", lambda self, request: request.headers.add_header(
            "Authorization", f"Bearer {self.auth_token.token}"))  # fmt: skip
        client = boto3.client("bedrock-runtime", region_name="us-east-1", endpoint_url=provider.url)
        client.converse(modelId=MODEL, messages=make_user_turn({"text": "Hello"}))
        client.close()
    assert provider.signed == ["Bearer bedrock-api-key-1"]


def test_every_field_that_boto3_sends_is_read(provider):
    provider.answer = lambda request: make_reply(Text("x"))
    with make_client(provider) as client:
        client.converse(
            modelId=MODEL,
            messages=[
                *make_user_turn(
                    {"image": {"format": "png", "source": {"bytes": b"\x89PNG"}}},
                    {"document": {"format": "pdf", "name": "a", "source": {"bytes": b"%PDF"}}},
                    {"cachePoint": {"type": "default"}},
                    {"text": "see"},
                ),
                {"role": "assistant", "content": [
                    {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "sig"}}},
                    {"reasoningContent": {"redactedContent": b"ABC"}},
                    {"toolUse": {"toolUseId": "t", "name": "f", "input": {"city": "Zürich"}}},
                ]},
                *make_user_turn({"toolResult": {"toolUseId": "t", "content": [{"json": {"c": 1.5}}, {"text": "ok"}],
                                      "status": "error"}}),
            ],
            toolConfig={
                "tools": [{"toolSpec": {"name": "f", "description": "d", "inputSchema": {"json": WEATHER}}}],
                "toolChoice": {"tool": {"name": "f"}},
            },
            guardrailConfig={"guardrailIdentifier": "g", "guardrailVersion": "DRAFT"},
            requestMetadata={"team": "blue"},
            additionalModelRequestFields={"thinking": {"type": "enabled", "budget_tokens": 2000}, "top_k": 7},
            outputConfig={"effort": "high"},
        )  # fmt: skip
    (request,) = provider.requests
    first, second, third = request.messages
    assert first.parts == (
        Image(data="iVBORw==", media_type="image/png"),
        File(data="JVBERg==", media_type="application/pdf", name="a", cache={"type": "ephemeral"}),
        Text("see"),
    )
    assert second.parts == (
        Thinking("hm", "sig", wire="bedrock"),
        Thinking(redacted="QUJD", wire="bedrock"),
        ToolCall("t", "f", '{"city":"Zürich"}'),
    )
    assert third.parts == (ToolResult("t", (Text('{"c":1.5}'), Text("ok")), error=True),)
    assert request.tools == (Tool("f", "d", WEATHER),)
    assert request.tool_choice == ToolChoice("tool", ("f",))
    assert (request.top_k, request.reasoning.budget, request.reasoning.effort) == (7, 2000, "high")
    assert request.metadata == {"team": "blue"}
    assert request.extras == {"guardrailConfig": {"guardrailIdentifier": "g", "guardrailVersion": "DRAFT"}}


def run_tool(request):
    """Call the tools first; state the result once it is there."""
    last = request.messages[-1].parts[-1]
    if type(last) is ToolResult:
        return [Start("", ""), BlockStart(0, "text"), Delta(0, "It is "), Delta(0, last.parts[0].text), BlockStop(0),
                Finish("stop"), UsageUpdate(USAGE), StreamEnd()]  # fmt: skip
    return [
        Start("", ""),
        BlockStart(0, "thinking"), Delta(0, "Let me "), Delta(0, "look."),
        Annotation(0, "sig", wire="bedrock"), BlockStop(0),
        BlockStart(1, "tool", "t1", "get_weather"), Delta(1, '{"city":'), Delta(1, '"Zürich"}'), BlockStop(1),
        BlockStart(2, "tool", "t2", "now"), Delta(2, "{}"), BlockStop(2),
        Finish("tool_calls"), UsageUpdate(USAGE), StreamEnd(),
    ]  # fmt: skip


def gather_stream(stream):
    """Assemble a stream as the user guide does."""
    content, reason, usage = {}, None, None
    for event in stream:
        if "contentBlockStart" in event:
            start = event["contentBlockStart"]
            content[start["contentBlockIndex"]] = {"toolUse": {**start["start"]["toolUse"], "input": ""}}
        elif "contentBlockDelta" in event:
            index, delta = event["contentBlockDelta"]["contentBlockIndex"], event["contentBlockDelta"]["delta"]
            if "text" in delta:
                block = content.setdefault(index, {"text": ""})
                block["text"] += delta["text"]
            elif "toolUse" in delta:
                content[index]["toolUse"]["input"] += delta["toolUse"]["input"]
            else:
                block = content.setdefault(
                    index, {"reasoningContent": {"reasoningText": {"text": "", "signature": ""}}}
                )
                for name, value in delta["reasoningContent"].items():
                    block["reasoningContent"]["reasoningText"][name] += value
        elif "messageStop" in event:
            reason = event["messageStop"]["stopReason"]
        elif "metadata" in event:
            usage = event["metadata"]["usage"]
    for block in content.values():
        if "toolUse" in block:
            block["toolUse"]["input"] = json.loads(block["toolUse"]["input"] or "{}")
    return [content[index] for index in sorted(content)], reason, usage


def test_boto3_reads_a_streamed_tool_conversation(provider):
    provider.answer = run_tool
    tools = {
        "tools": [{"toolSpec": {"name": name, "inputSchema": {"json": WEATHER}}} for name in ("get_weather", "now")]
    }
    messages = make_user_turn({"text": "Weather in Zürich?"})
    with make_client(provider, TOKEN) as client:
        content, reason, usage = gather_stream(
            client.converse_stream(modelId=MODEL, messages=messages, toolConfig=tools)["stream"]
        )
        assert (reason, usage["totalTokens"]) == ("tool_use", 25)
        assert content == [
            {"reasoningContent": {"reasoningText": {"text": "Let me look.", "signature": "sig"}}},
            {"toolUse": {"toolUseId": "t1", "name": "get_weather", "input": {"city": "Zürich"}}},
            {"toolUse": {"toolUseId": "t2", "name": "now", "input": {}}},
        ]
        messages += [
            {"role": "assistant", "content": content},
            *make_user_turn(
                {"toolResult": {"toolUseId": "t1", "content": [{"text": "wet"}]}},
                {"toolResult": {"toolUseId": "t2", "content": [{"text": "noon"}]}},
            ),
        ]
        content, reason, _ = gather_stream(
            client.converse_stream(modelId=MODEL, messages=messages, toolConfig=tools)["stream"]
        )
    assert (content, reason) == ([{"text": "It is noon"}], "end_turn")
    assert provider.signed == [True, True]
    assert provider.paths == [f"/model/{quote(MODEL, safe='')}/converse-stream"] * 2
    assert provider.requests[1].messages[1].parts == (
        Thinking("Let me look.", "sig", wire="bedrock"),
        ToolCall("t1", "get_weather", '{"city":"Zürich"}'),
        ToolCall("t2", "now"),
    )


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (BadRequest("why"), "ValidationException"),
        (Forbidden("why"), "AccessDeniedException"),
        (ModelNotFound("why"), "ResourceNotFoundException"),
        (RateLimited("why", status=429, body=b"", headers=()), "ThrottlingException"),
        (Truncated("why"), "InternalServerException"),
        (Unavailable("why"), "ServiceUnavailableException"),
        (UpstreamTimeout("why", phase="total"), "ModelTimeoutException"),
    ],
)
def test_boto3_raises_its_own_class_for_each_error(provider, error, name):
    provider.answer = lambda request: error
    with make_client(provider) as client:
        for call in (client.converse, client.converse_stream):
            with pytest.raises(ClientError) as caught:
                call(modelId=MODEL, messages=make_user_turn({"text": "Hello"}))
            assert type(caught.value) is getattr(client.exceptions, name)
            assert caught.value.response["Error"] == {"Message": "why", "Code": name}
            assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == error.status


def test_an_invalid_request_is_a_validation_error(provider):
    with (
        make_client(provider) as client,
        pytest.raises(ClientError, match=r"ValidationException.*at least one message"),
    ):
        client.converse(modelId=MODEL, messages=[])
    assert provider.requests == []


def test_boto3_raises_the_exception_of_a_broken_stream(provider):
    provider.answer = lambda request: [Start("", ""), BlockStart(0, "text"), Delta(0, "half"), Truncated("cut short")]
    with make_client(provider) as client:
        events = iter(client.converse_stream(modelId=MODEL, messages=make_user_turn({"text": "Hello"}))["stream"])
        assert next(events) == {"messageStart": {"role": "assistant"}}
        assert next(events)["contentBlockDelta"]["delta"] == {"text": "half"}
        with pytest.raises(EventStreamError, match=r"modelStreamErrorException.*cut short"):
            next(events)
