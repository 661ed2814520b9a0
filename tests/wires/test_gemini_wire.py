"""The Gemini wire as pass-through: reading requests and addresses, changing them for a target, observing answers."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.errors import (
    BadAnswer,
    BadRequest,
    CallError,
    ModelNotFound,
    NotFound,
    RateLimited,
    TooLarge,
    Unauthorized,
    UpstreamStatus,
    UpstreamTimeout,
)
from antiphon.types import Origin, Target, Usage
from antiphon.wires.gemini import CountTokens, Embed, EmbedBatch, Generate, read_address
from antiphon.wires.gemini.signatures import UNSIGNED_CALL, seal
from antiphon.wires.sse import SSESplitter, write_frame
from antiphon.wires.translation.neutral import Thinking

GENERATE, COUNT, EMBED, BATCH = Generate(), CountTokens(), Embed(), EmbedBatch()
CONTENTS = [{"role": "user", "parts": [{"text": "Hello"}]}]
TARGET = Target("p/up", "p", "up", "kind", "gemini", Origin("http", "h", 80), {})


def make_request(**fields: Any) -> bytes:
    return json.dumps({"contents": CONTENTS, **fields}, separators=(",", ":")).encode()


def make_chunk(*parts: Any, finish: str | None = None, index: int | None = None, **more: Any) -> bytes:
    candidate: dict[str, Any] = {"content": {"parts": list(parts), "role": "model"}}
    if finish:
        candidate["finishReason"] = finish
    if index is not None:
        candidate["index"] = index
    return write_frame(json.dumps({"candidates": [candidate], **more}).encode())


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b"{}", "contents"),
        (make_request(contents=[]), "contents"),
        (make_request(contents="hello"), "contents[0]"),
        (make_request(contents=[{"parts": ["x"]}]), "contents[].parts[]"),
        (make_request(contents=[{"role": 3, "parts": []}]), "contents[].role"),
        (make_request(contents=[{"parts": [{"text": 3}]}]), "contents[].parts[].text"),
        (make_request(contents=[{"parts": [{"functionCall": {"args": {}}}]}]), "contents[].parts[].functionCall.name"),
        (make_request(tools="x"), "tools[]"),
        (make_request(generationConfig=[]), "generationConfig"),
        (make_request(generationConfig={"temperature": "hot"}), "generationConfig.temperature"),
        (make_request(generationConfig={"temperature": "nan"}), "temperature"),
        (make_request(generation_config={"max_output_tokens": 1.5}), "generationConfig.maxOutputTokens"),
        (make_request(generationConfig={"candidateCount": -1}), "candidateCount"),
        (make_request(systemInstruction={"parts": 1}), "systemInstruction.parts"),
        (make_request(system_instruction={}, systemInstruction={}), "systemInstruction"),
    ],
)
def test_wrong_types_name_the_field(body: bytes, param: str) -> None:
    with pytest.raises(BadRequest) as caught:
        GENERATE.peek(body, "m", False)
    assert caught.value.param is not None
    assert caught.value.param.replace("[0]", "[]") == param.replace("[0]", "[]")


@pytest.mark.parametrize("model", ["", "a\nb", "x" * 257])
def test_the_path_must_name_a_model(model: str) -> None:
    with pytest.raises(BadRequest, match="model in the path must be a name"):
        GENERATE.peek(make_request(), model, False)


@pytest.mark.parametrize(
    "body",
    [
        make_request(generationConfig={"candidateCount": 2}),
        make_request(generation_config={"candidate_count": 2}),
        make_request(generationConfig={"candidateCount": "2"}),
        make_request(generationConfig={"candidateCount": 2.0, "topK": 40.0}),
        make_request(contents={"parts": {"text": "one"}}, generationConfig={"candidateCount": 2}),
        make_request(generationConfig={"candidateCount": 2, "temperature": None, "brandNew": [1]}, brandNew={"a_b": 1}),
    ],
)
def test_every_spelling_of_protobuf_json_is_read(body: bytes) -> None:
    envelope = GENERATE.peek(body, "models-x", True)
    assert (envelope.model, envelope.stream, envelope.choices, envelope.wants_usage) == ("models-x", True, 2, True)
    assert GENERATE.encode(body, envelope, TARGET).body is body


def test_a_model_in_the_body_follows_the_target() -> None:
    body = b'{"contents" : [ {"parts":[{"text":"\\u00e9"}]}], "model": "models/m", "x":1.0}'
    envelope = GENERATE.peek(body, "m", False)
    assert GENERATE.encode(body, envelope, TARGET).body == body.replace(b'"models/m"', b'"models/up"')


def test_signatures_of_other_wires_do_not_reach_a_gemini_provider() -> None:
    sealed = seal(Thinking("", "sig", wire="anthropic"))
    call = {"functionCall": {"name": "f", "args": {}}}
    turn = {"role": "model", "parts": [{"text": "hm", "thought": True, "thoughtSignature": sealed}, call]}
    own = {"role": "model", "parts": [{"text": "kept", "thoughtSignature": "QUJD"}]}
    alone = {"role": "model", "parts": [{"text": "", "thought": True, "thought_signature": sealed}]}
    body = make_request(contents=[*CONTENTS, turn, own, alone], tools=[])
    envelope = GENERATE.peek(body, "up", False)
    sent = json.loads(GENERATE.encode(body, envelope, TARGET).body)
    signed = {"role": "model", "parts": [{**call, "thoughtSignature": UNSIGNED_CALL}]}
    assert sent["contents"] == [*CONTENTS, signed, own, {"role": "model", "parts": [{"text": ""}]}]
    assert sent["tools"] == []


@pytest.mark.parametrize(
    ("tail", "expected"),
    [
        ("models/gemini-3-pro:generateContent", ("generate", "gemini-3-pro", False)),
        ("models/llama3.2:3b:generateContent", ("generate", "llama3.2:3b", False)),
        ("models/openai/gpt-4o:countTokens", ("gemini_count_tokens", "openai/gpt-4o", False)),
        ("models/openai%2Fgpt-4o%3Afree:embedContent", ("gemini_embed", "openai/gpt-4o:free", False)),
        ("models/m:batchEmbedContents", ("gemini_embed_batch", "m", False)),
        ("openai/gpt-4o:generateContent", ("generate", "openai/gpt-4o", False)),
    ],
)
def test_addresses(tail: str, expected: tuple[str, str, bool]) -> None:
    address = read_address(tail, "alt=json")
    assert (address.operation, address.model, address.stream) == expected


def test_a_stream_is_server_sent_events() -> None:
    assert read_address("models/m:streamGenerateContent", "alt=sse").stream
    with pytest.raises(BadRequest, match=r"alt=sse"):
        read_address("models/m:streamGenerateContent", "")


@pytest.mark.parametrize("tail", ["models/m", "models/m:predict", "m:generateContent", "models/:generateContent", ""])
def test_unknown_addresses_are_not_found(tail: str) -> None:
    with pytest.raises(NotFound):
        read_address(tail, "")


@pytest.mark.parametrize("query", ["key=secret", "alt=sse&key=", "access_token=secret", "%6bey=secret"])
def test_a_key_in_the_address_is_refused(query: str) -> None:
    with pytest.raises(Unauthorized, match="x-goog-api-key") as caught:
        read_address("models/m:generateContent", query)
    assert "secret" not in caught.value.message


def test_whole_answers() -> None:
    answer = {
        "candidates": [{"content": {"parts": [{"text": "Grüße"}, {"functionCall": {"name": "f", "args": {"a": 1}}}]}}],
        "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 2, "totalTokenCount": 5},
    }
    whole = GENERATE.read_whole(json.dumps(answer, separators=(",", ":")).encode())
    assert whole.usage == Usage(input=3, output=2)
    del answer["usageMetadata"]
    whole = GENERATE.read_whole(json.dumps(answer, separators=(",", ":")).encode())
    assert whole.usage is None
    assert whole.output_bytes == len("Grüße".encode()) + len('f{"a":1}') + 1
    blocked = GENERATE.read_whole(b'{"promptFeedback":{"blockReason":"SAFETY"},"usageMetadata":{"promptTokenCount":8}}')
    assert blocked.usage == Usage(input=8)


@pytest.mark.parametrize(
    "body",
    [
        b'{"error":{"code":503,"message":"overloaded","status":"UNAVAILABLE"}}', b"{}", b'{"candidates":[]}',
        b"<html>", b"[]", b'{"candidates":3}', b'{"candidates":[{"content":{"parts":[{"text":"\xff"}]}}]}',
        b"[" * 5000,
    ],
    ids=range(8),
)  # fmt: skip
def test_invalid_answers_are_rejected(body: bytes) -> None:
    with pytest.raises(BadAnswer):
        GENERATE.read_whole(body)


def watch_frames(*frames: bytes, choices: int = 1) -> Any:
    body = make_request(generationConfig={"candidateCount": choices})
    found = GENERATE.start_stream(GENERATE.peek(body, "m", True), False)
    for frame in frames:
        assert found.feed(frame) == frame
    return found


def test_a_stream_is_complete_when_every_candidate_has_finished() -> None:
    frames = [
        make_chunk({"text": ""}),
        make_chunk({"text": "Hel"}, usageMetadata={"promptTokenCount": 4, "totalTokenCount": 4}),
        make_chunk({"text": "lo"}, finish="STOP", usageMetadata={"promptTokenCount": 4, "candidatesTokenCount": 2}),
    ]
    assert not watch_frames(frames[0]).committed
    assert watch_frames(*frames[:2]).committed
    assert not watch_frames(*frames[:2]).complete
    done = watch_frames(*frames)
    assert (done.complete, done.ended, done.output_bytes) == (True, False, 5)
    assert done.usage == Usage(input=4, output=2)
    assert watch_frames(*frames[:2]).usage == Usage(input=4, output=1, estimated=True)


def test_each_candidate_must_finish() -> None:
    first, second = make_chunk({"text": "a"}, finish="STOP"), make_chunk({"text": "b"}, finish="STOP", index=1)
    assert not watch_frames(first, choices=2).complete
    assert watch_frames(first, second, choices=2).complete


@pytest.mark.parametrize(
    ("part", "committed"),
    [
        ({"text": "x", "thought": True}, True),
        ({"functionCall": {"name": "f"}}, True),
        ({"inlineData": {"mimeType": "image/png", "data": "AA=="}}, True),
        ({"executableCode": {"code": "1"}}, True),
        ({"text": "", "thoughtSignature": "QUJD"}, False),
    ],
)
def test_the_first_real_output_commits(part: dict[str, Any], committed: bool) -> None:
    assert watch_frames(make_chunk(part)).committed is committed


def test_a_blocked_prompt_is_a_whole_answer() -> None:
    blocked = watch_frames(write_frame(b'{"promptFeedback":{"blockReason":"PROHIBITED_CONTENT"}}'), choices=2)
    assert blocked.committed
    assert blocked.complete


def test_an_error_in_a_stream_is_found() -> None:
    failed = watch_frames(
        make_chunk({"text": "x"}), write_frame(b'{"error":{"code":500,"message":"broke","status":"INTERNAL"}}')
    )
    assert isinstance(failed.error, BadAnswer)
    assert "broke" in failed.error.message
    with pytest.raises(BadAnswer):
        watch_frames(write_frame(b"{nonsense"))
    assert watch_frames(b": comment\n\n", b"\n\n", write_frame(b" ")).error is None


@given(st.data())
def test_frames_pass_unchanged_for_any_split(data: st.DataObject) -> None:
    stream = b"".join(
        [make_chunk({"text": "päng"}).replace(b"\n\n", b"\r\n\r\n"), make_chunk({"text": "!"}, finish="STOP"), b"\n"]
    )
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    splitter, found, passed = SSESplitter(), watch_frames(), b""
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        for frame in splitter.feed(stream[start:end]):
            passed += found.feed(frame)
    assert passed + bytes(splitter.rest) == stream
    assert found.complete
    assert found.output_bytes == 6


ERRORS: list[tuple[CallError, int, str]] = [
    (BadRequest("x", param="contents"), 400, "INVALID_ARGUMENT"),
    (Unauthorized("x"), 401, "UNAUTHENTICATED"),
    (CallError("x", status=403), 403, "PERMISSION_DENIED"),
    (ModelNotFound("x"), 404, "NOT_FOUND"),
    (TooLarge("x"), 413, "INVALID_ARGUMENT"),
    (CallError("x", status=418), 418, "FAILED_PRECONDITION"),
    (RateLimited("x", status=429, body=b"", headers=(), retry_after=12), 429, "RESOURCE_EXHAUSTED"),
    (CallError("x"), 500, "INTERNAL"),
    (BadAnswer("x"), 502, "UNAVAILABLE"),
    (CallError("x", status=503), 503, "UNAVAILABLE"),
    (UpstreamTimeout("x", phase="idle"), 504, "DEADLINE_EXCEEDED"),
    (UpstreamStatus("x", status=529, body=b"", headers=()), 529, "UNAVAILABLE"),
    (CallError("x", status=599), 599, "INTERNAL"),
]


@pytest.mark.parametrize(("error", "code", "status"), ERRORS)
def test_errors_have_the_shape_of_the_wire(error: CallError, code: int, status: str) -> None:
    body = json.loads(GENERATE.write_error_body(error))
    assert body["error"] | {"details": None} == {"code": code, "message": "x", "status": status, "details": None}
    kinds = [detail["@type"].rpartition(".")[2] for detail in body["error"]["details"]]
    assert kinds == [
        "ErrorInfo",
        *(["BadRequest"] if error.param else []),
        *(["RetryInfo"] if error.retry_after else []),
    ]
    assert GENERATE.write_error_frame(error) == b"data: " + GENERATE.write_error_body(error) + b"\n\n"
    assert GENERATE.read_error_message(GENERATE.write_error_body(error)) == "x"


def test_refusals_are_read_in_every_form() -> None:
    assert GENERATE.read_error_message(b'[{"error":{"message":"in a list"}}]') == "in a list"
    assert GENERATE.read_error_message(b'{"error":"plain"}') == "plain"
    assert "oops" in GENERATE.read_error_message(b"<html>oops")
    assert GENERATE.read_error_message(b"{}") == "'{}'"


def test_counting() -> None:
    inner = b'{"contents":[{"parts":[{"text":"abc"}]}],"model":"models/m"}'
    body = b'{"generateContentRequest":' + inner + b',"model": "models/m"}'
    envelope = COUNT.peek(body, "m")
    assert COUNT.encode(body, envelope, TARGET).body == body.replace(b"models/m", b"models/up")
    assert COUNT.count_input_bytes(envelope) == 3
    plain = COUNT.peek(make_request(), "m", True)
    assert not plain.stream
    assert COUNT.encode(make_request(), plain, TARGET).body == make_request()
    assert COUNT.read_whole(b'{"totalTokens":31}').usage == Usage()
    for bad in (b"{}", b"x", b'{"totalTokens":1,"error":{"message":"no"}}'):
        with pytest.raises(BadAnswer):
            COUNT.read_whole(bad)
    for wrong in (b'{"generateContentRequest":3}', b'{"generateContentRequest":{}}', b"{}"):
        with pytest.raises(BadRequest):
            COUNT.peek(wrong, "m")


def test_embedding_one() -> None:
    body = (
        b'{"model":"models/m","content":{"parts":[{"text":"abc"}]},"output_dimensionality":8,"taskType":"CLUSTERING"}'
    )
    envelope = EMBED.peek(body, "m")
    assert EMBED.encode(body, envelope, TARGET).body == body.replace(b"models/m", b"models/up")
    assert EMBED.count_input_bytes(envelope) == 3
    assert EMBED.read_whole(b'{"embedding":{"values":[1]},"usageMetadata":{"promptTokenCount":2}}').usage == Usage(
        input=2
    )


def test_embedding_many() -> None:
    one = {"model": "models/m", "content": {"parts": [{"text": "a"}, {"text": "b"}]}}
    body = json.dumps({"requests": [one, {**one, "model": "models/up"}]}).encode()
    envelope = BATCH.peek(body, "m")
    sent = BATCH.encode(body, envelope, TARGET).body
    assert [each["model"] for each in json.loads(sent)["requests"]] == ["models/up", "models/up"]
    single = json.dumps({"requests": one}).encode()
    assert json.loads(BATCH.encode(single, BATCH.peek(single, "m"), TARGET).body)["requests"]["model"] == "models/up"
    same = json.dumps({"requests": [{**one, "model": "models/up"}]}).encode()
    assert BATCH.encode(same, BATCH.peek(same, "up"), TARGET).body is same
    assert BATCH.read_whole(b'{"embeddings":[{"values":[1]},{"values":[2]}]}').usage is None


@pytest.mark.parametrize("body", [b"{}", b'{"requests":[]}', b'{"requests":[{"content":3}]}', b'{"requests":"x"}'])
def test_invalid_embedding_requests_are_refused(body: bytes) -> None:
    with pytest.raises(BadRequest):
        BATCH.peek(body, "m")
    with pytest.raises(BadRequest):
        EMBED.peek(body, "m")


@pytest.mark.parametrize("body", [b"{}", b"x", b'{"data":[]}', b'{"data":[{"embedding":"AAAA"}]}', b'{"error":{}}'])
def test_invalid_embedding_answers_are_errors(body: bytes) -> None:
    with pytest.raises(BadAnswer):
        EMBED.read_whole(body)
