"""The official client through the gateway to a provider that checks every byte, and the records in the ledger."""

import io
import json
from typing import Any

import openai
import pytest

from processes import Gateway, post, wait_until
from server.operations.provider import Exchange, Provider, answer_bytes, answer_json

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4
WAV = b"RIFF" + b"\0\r\n--" * 300
IMAGES = {"created": 1, "data": [{"b64_json": "aGk="}], "usage": {
    "input_tokens": 50, "output_tokens": 200, "total_tokens": 250,
    "input_tokens_details": {"text_tokens": 10, "image_tokens": 40},
}}  # fmt: skip
JSON = "application/json"


async def wait_for_record(gateway: Gateway, call: str) -> dict[str, Any]:
    await wait_until(lambda: [row for row in gateway.list_records() if row["id"] == call])
    (row,) = [row for row in gateway.list_records() if row["id"] == call]
    return row


def check_request(provider: Provider, method: str, target: str, kind: str | None, key: str = "far-key") -> Exchange:
    """Return the only request; fail if its headers are not exactly these."""
    (seen,) = provider.seen
    assert (seen.method, seen.target) == (method, target)
    expected = {
        "host": f"127.0.0.1:{provider.port}",
        "user-agent": "antiphon",
        "accept-encoding": "identity",
        "authorization": f"Bearer {key}",
    }
    if kind is not None:
        expected["content-type"] = kind
    if method != "GET":
        expected["content-length"] = str(seen.size)
    assert seen.headers == expected
    return seen


async def test_rerank_is_passed_on_with_another_model(gateway, provider):
    answer = {"model": "reranker", "results": [{"index": 1, "relevance_score": 0.9}], "usage": {"total_tokens": 31}}
    provider.routes["POST /v1/rerank"] = answer_json(answer)
    body = b'{ "query":"q", "unheard":[1, 2.50], "documents":["a","b"],"model" : "ranks/reranker" }'
    got = await post(gateway.port, "/v1/rerank", body, gateway.key)
    assert (got.status, got.json) == (200, answer)
    seen = check_request(provider, "POST", "/v1/rerank", JSON, "rank-key")
    assert seen.body == body.replace(b"ranks/reranker", b"reranker")
    row = await gateway.wait_for_record(got)
    expected = ("rerank", "ranks/reranker", "success", "ranks", 200)
    assert (row["operation"], row["target"], row["outcome"], row["provider"], row["status"]) == expected
    assert row["input"] == 31


async def test_rerank_of_cohere_states_its_tokens_elsewhere(gateway, provider):
    provider.routes["POST /v1/rerank"] = answer_json({"results": [], "meta": {"tokens": {"input_tokens": 7}}})
    got = await post(gateway.port, "/v1/rerank", {"model": "ranks/r", "query": "q", "documents": ["a"]}, gateway.key)
    assert (await gateway.wait_for_record(got))["input"] == 7


async def test_rerank_is_billed_by_the_search(gateway, provider):
    meta = {"api_version": {"version": "2"}, "billed_units": {"search_units": 2}, "tokens": {"input_tokens": 7}}
    provider.routes["POST /v1/rerank"] = answer_json({"results": [], "meta": meta})
    got = await post(gateway.port, "/v1/rerank", {"model": "ranker", "query": "q", "documents": ["a"]}, gateway.key)
    row = await gateway.wait_for_record(got)
    assert (row["searches"], row["input"], row["cost"]) == (2, 0, 5 * 10**9)
    assert got.headers["x-antiphon-cost"] == "0.005"


async def test_moderations_with_and_without_a_model(gateway, provider, client):
    provider.routes["POST /v1/moderations"] = answer_json({"id": "m", "model": "x", "results": []})
    client.moderations.create(input="hello", model="far/omni-moderation-2024-09-26")
    seen = check_request(provider, "POST", "/v1/moderations", JSON)
    assert seen.json == {"input": "hello", "model": "omni-moderation-2024-09-26"}
    provider.seen.clear()
    client.moderations.create(input="hello")
    assert check_request(provider, "POST", "/v1/moderations", JSON).json["model"] == "omni-moderation-latest"
    await wait_until(lambda: gateway.list_records()[-1]["operation"] == "moderations")
    assert (gateway.list_records()[-1]["cost"], gateway.list_records()[-1]["input"]) == (0, None)


async def test_images(gateway, provider, client):
    provider.routes["POST /v1/images/generations"] = answer_json(IMAGES)
    raw = client.images.with_raw_response.generate(prompt="a cat", model="far/gpt-image-1", n=1)
    assert raw.parse().data[0].b64_json == "aGk="
    assert raw.headers["x-request-id"] == "req_far"
    assert raw.headers["x-antiphon-target"] == "far/gpt-image-1"
    seen = check_request(provider, "POST", "/v1/images/generations", JSON)
    assert seen.json == {"prompt": "a cat", "model": "gpt-image-1", "n": 1}
    row = await wait_for_record(gateway, raw.headers["x-antiphon-call-id"])
    assert (row["operation"], row["input"], row["image_input"], row["image_output"]) == ("images", 10, 40, 200)
    assert raw.headers["x-antiphon-cost"] == "0.00845"
    assert (row["cost"], row["images"]) == (10 * 5_000_000 + 40 * 10_000_000 + 200 * 40_000_000, None)


async def test_images_without_tokens_are_counted_by_the_piece(gateway, provider):
    provider.routes["POST /v1/images/generations"] = answer_json(
        {"created": 1, "data": [{"url": "u"}, {"b64_json": "aGk="}]}
    )
    got = await post(gateway.port, "/v1/images/generations", {"model": "painter", "prompt": "x"}, gateway.key)
    assert got.headers["x-antiphon-cost"] == "0.08"
    row = await gateway.wait_for_record(got)
    assert (row["images"], row["cost"], row["estimated"], row["output"]) == (2, 8 * 10**10, 0, 0)
    got = await post(gateway.port, "/v1/images/generations", {"model": "far/painter", "prompt": "x"}, gateway.key)
    assert "x-antiphon-cost" not in got.headers
    row = await gateway.wait_for_record(got)
    assert (row["images"], row["cost"]) == (2, None)


async def test_images_without_counted_tokens_have_an_unknown_cost(gateway, provider):
    provider.routes["POST /v1/images/generations"] = answer_json({"created": 1, "data": []})
    got = await post(gateway.port, "/v1/images/generations", {"model": "far/painter", "prompt": "x"}, gateway.key)
    assert "x-antiphon-cost" not in got.headers
    row = await gateway.wait_for_record(got)
    assert (row["cost"], row["input"], row["output"]) == (None, None, None)


async def test_images_as_events(gateway, provider, client):
    events = [
        {"type": "image_generation.partial_image", "b64_json": "aA==", "partial_image_index": 0},
        {"type": "image_generation.completed", "b64_json": "aGk=", "usage": IMAGES["usage"]},
    ]
    text = b"".join(b"event: x\ndata: " + json.dumps(event).encode() + b"\n\n" for event in events)
    provider.routes["POST /v1/images/generations"] = answer_bytes(text, "text/event-stream")
    got = await post(
        gateway.port, "/v1/images/generations", {"model": "far/p", "prompt": "x", "stream": True}, gateway.key
    )
    assert (got.status, got.whole, got.body) == (200, True, text)
    row = await gateway.wait_for_record(got)
    assert (row["outcome"], row["stream"], row["image_output"]) == ("success", 1, 200)


async def test_images_as_events_without_tokens(gateway, provider):
    events = [{"type": "image_generation.partial_image"}, *[{"type": "image_generation.completed"}] * 2]
    text = b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)
    provider.routes["POST /v1/images/generations"] = answer_bytes(text, "text/event-stream")
    body = {"model": "painter", "prompt": "x", "stream": True}
    row = await gateway.wait_for_record(await post(gateway.port, "/v1/images/generations", body, gateway.key))
    assert (row["outcome"], row["images"], row["cost"]) == ("success", 2, 8 * 10**10)


async def test_events_that_break_off_are_reported(gateway, provider):
    event = b'data: {"type":"image_generation.partial_image","b64_json":"aA=="}\n\n'
    provider.routes["POST /v1/images/generations"] = answer_bytes(event, "text/event-stream")
    got = await post(
        gateway.port, "/v1/images/generations", {"model": "far/p", "prompt": "x", "stream": True}, gateway.key
    )
    assert got.body.startswith(event)
    assert b"upstream_truncated" in got.body
    row = await gateway.wait_for_record(got)
    assert (row["outcome"], row["error"], row["cost"]) == ("partial", "upstream_truncated", None)


async def test_image_edits_pass_every_part(gateway, provider, client):
    provider.routes["POST /v1/images/edits"] = answer_json(IMAGES)
    client.images.edit(
        image=[("a.png", PNG, "image/png"), ("b.png", PNG, "image/png")],
        mask=("mask.png", PNG, "image/png"),
        prompt="größer",
        model="far/gpt-image-1",
    )
    (seen,) = provider.seen
    boundary = seen.headers["content-type"].partition("boundary=")[2].encode()
    parts = seen.body.split(b"--" + boundary)
    assert parts[0] == b""
    assert parts[-1] == b"--\r\n"
    found = [part[2:-2].partition(b"\r\n\r\n")[::2] for part in parts[1:-1]]
    assert sorted(body for _, body in found) == sorted([PNG, PNG, PNG, "größer".encode(), b"gpt-image-1"])
    (model,) = [head for head, body in found if body == b"gpt-image-1"]
    assert model == b'Content-Disposition: form-data; name="model"'
    check_request(provider, "POST", "/v1/images/edits", seen.headers["content-type"])


async def test_image_variations(gateway, provider, client):
    provider.routes["POST /v1/images/variations"] = answer_json(IMAGES)
    with pytest.warns(DeprecationWarning, match="deprecated"):
        client.images.create_variation(image=("a.png", PNG, "image/png"), model="far/dall-e-2")
    assert b"\r\n\r\ndall-e-2\r\n" in provider.last.body
    assert PNG in provider.last.body


async def test_speech_is_streamed(gateway, provider, client):
    audio = bytes(range(256)) * 40
    provider.routes["POST /v1/audio/speech"] = answer_bytes(audio, "audio/mpeg")
    got = bytearray()
    with client.audio.speech.with_streaming_response.create(model="far/tts-1", voice="alloy", input="hello") as answer:
        for piece in answer.iter_bytes():
            got += piece
        headers = answer.headers
    assert bytes(got) == audio
    assert headers["content-type"] == "audio/mpeg"
    assert check_request(provider, "POST", "/v1/audio/speech", JSON).json == {
        "input": "hello", "model": "tts-1", "voice": "alloy",
    }  # fmt: skip
    row = await wait_for_record(gateway, headers["x-antiphon-call-id"])
    assert (row["operation"], row["outcome"], row["input"]) == ("speech", "success", 0)
    assert (row["characters"], row["cost"], row["estimated"]) == (5, 5 * 15_000_000, 1)


async def test_speech_tokens_are_counted_as_audio(gateway, provider):
    usage = {"input_tokens": 14, "output_tokens": 101, "total_tokens": 115}
    events = [{"type": "speech.audio.delta", "audio": "aGk="}, {"type": "speech.audio.done", "usage": usage}]
    text = b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)
    provider.routes["POST /v1/audio/speech"] = answer_bytes(text, "text/event-stream")
    body = {"model": "far/gpt-4o-mini-tts", "input": "hello", "voice": "alloy", "stream_format": "sse"}
    row = await gateway.wait_for_record(await post(gateway.port, "/v1/audio/speech", body, gateway.key))
    assert (row["input"], row["audio_output"], row["characters"]) == (14, 101, None)
    assert row["cost"] == 14 * 600_000 + 101 * 12_000_000


async def test_speech_that_breaks_off_breaks_the_connection(gateway, provider):
    async def break_off(exchange: Exchange) -> None:
        await exchange.read()
        await exchange.begin("audio/mpeg")
        await exchange.send_chunk(b"x" * 500)
        exchange.writer.transport.abort()

    provider.routes["POST /v1/audio/speech"] = break_off
    got = await post(gateway.port, "/v1/audio/speech", {"model": "far/tts", "input": "x"}, gateway.key)
    assert (got.status, got.whole) == (200, False)
    assert len(got.body) < 500
    row = await gateway.wait_for_record(got)
    assert (row["outcome"], row["characters"], row["estimated"]) == ("partial", 1, 1)


async def test_speech_without_a_byte_is_an_error(gateway, provider):
    provider.routes["POST /v1/audio/speech"] = answer_bytes(b"", "audio/mpeg")
    got = await post(gateway.port, "/v1/audio/speech", {"model": "far/tts", "input": "x"}, gateway.key)
    assert (got.status, got.json["error"]["code"]) == (502, "upstream_truncated")


PAGE = b"<html>502 from a box in between</html>"


@pytest.mark.parametrize(
    ("path", "body", "kind"),
    [
        ("audio/speech", {"model": "far/tts", "input": "x"}, "text/html; charset=utf-8"),
        ("moderations", {"model": "far/m", "input": "x"}, "text/html"),
        ("images/generations", {"model": "far/m", "prompt": "x"}, "image/png"),
    ],
)
async def test_an_answer_of_another_type_is_an_error(gateway, provider, path, body, kind):
    provider.routes[f"POST /v1/{path}"] = answer_bytes(PAGE, kind)
    got = await post(gateway.port, f"/v1/{path}", body, gateway.key)
    assert (got.status, got.json["error"]["code"]) == (502, "upstream_bad_answer")


async def test_another_target_answers_if_the_first_fails(gateway, provider):
    async def fail_at_first_target(exchange: Exchange) -> None:
        await exchange.read()
        if exchange.json["model"] == "first":
            await exchange.answer(b'{"error":{"message":"busy"}}', status=503)
        else:
            await exchange.answer(b"sound", "audio/mpeg")

    provider.routes["POST /v1/audio/speech"] = fail_at_first_target
    got = await post(gateway.port, "/v1/audio/speech", {"model": "twice", "input": "x"}, gateway.key)
    assert (got.status, got.body) == (200, b"sound")
    assert got.headers["x-antiphon-target"] == "far/second"
    assert got.headers["x-antiphon-attempts"] == "2"


@pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")
@pytest.mark.parametrize("operation", ["transcriptions", "translations"])
async def test_transcriptions_and_translations(gateway, provider, client, operation):
    usage = {"type": "tokens", "input_tokens": 14, "output_tokens": 45, "total_tokens": 59,
             "input_token_details": {"text_tokens": 2, "audio_tokens": 12}}  # fmt: skip
    provider.routes[f"POST /v1/audio/{operation}"] = answer_json({"text": "hello", "usage": usage})
    raw = getattr(client.audio, operation).with_raw_response.create(file=("a.wav", WAV), model="ears")
    assert raw.parse().text == "hello"
    (seen,) = provider.seen
    check_request(provider, "POST", f"/v1/audio/{operation}", seen.headers["content-type"])
    boundary = seen.headers["content-type"].partition("boundary=")[2]
    assert seen.body == (
        f'--{boundary}\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n'
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n'
        f"Content-Type: audio/x-wav\r\n\r\n".encode()
        + WAV
        + f"\r\n--{boundary}--\r\n".encode()
    )
    row = await wait_for_record(gateway, raw.headers["x-antiphon-call-id"])
    assert (row["input"], row["audio_input"], row["output"]) == (2, 12, 45)
    assert (row["operation"], row["model"], row["target"]) == (operation, "ears", "far/whisper-1")


async def test_a_transcription_is_billed_by_the_second(gateway, provider, client):
    provider.routes["POST /v1/audio/transcriptions"] = answer_json(
        {"text": "x", "usage": {"type": "duration", "seconds": 9}}
    )
    raw = client.audio.transcriptions.with_raw_response.create(file=("a.wav", WAV), model="ears")
    row = await wait_for_record(gateway, raw.headers["x-antiphon-call-id"])
    assert (row["outcome"], row["seconds"], row["cost"], row["input"]) == ("success", 9, 9 * 10**8, 0)
    assert raw.headers["x-antiphon-cost"] == "0.0009"


async def test_a_transcription_that_only_states_its_duration(gateway, provider, client):
    provider.routes["POST /v1/audio/transcriptions"] = answer_json({"text": "x", "duration": 8.47, "segments": []})
    raw = client.audio.transcriptions.with_raw_response.create(
        file=("a.wav", WAV), model="ears", response_format="verbose_json"
    )
    row = await wait_for_record(gateway, raw.headers["x-antiphon-call-id"])
    assert (row["seconds"], row["cost"], row["estimated"]) == (9, 9 * 10**8, 1)


async def test_subtitles_are_text(gateway, provider, client):
    text = b"WEBVTT\n\n00:00.000 --> 00:01.000\nhello\n"
    provider.routes["POST /v1/audio/transcriptions"] = answer_bytes(text, "text/vtt")
    raw = client.audio.transcriptions.with_raw_response.create(file=("a.wav", WAV), model="ears", response_format="vtt")
    assert raw.text == text.decode()
    row = await wait_for_record(gateway, raw.headers["x-antiphon-call-id"])
    assert (row["outcome"], row["seconds"], row["cost"]) == ("success", None, None)


async def test_a_transcription_as_events(gateway, provider, client):
    events = [
        {"type": "transcript.text.delta", "delta": "hel"},
        {"type": "transcript.text.delta", "delta": "lo"},
        {"type": "transcript.text.done", "text": "hello", "usage": {"input_tokens": 3, "output_tokens": 2}},
    ]
    text = b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)
    provider.routes["POST /v1/audio/transcriptions"] = answer_bytes(text, "text/event-stream")
    with client.audio.transcriptions.create(file=("a.wav", WAV), model="ears", stream=True) as stream:
        got = [event.type for event in stream]
    assert got == [event["type"] for event in events]
    await wait_until(lambda: gateway.list_records()[-1]["output"] == 2)
    assert gateway.list_records()[-1]["stream"] == 1


# Files, batches, fine-tuning.

FILE = {"id": "file-1", "object": "file", "bytes": 3, "created_at": 1, "filename": "a.jsonl", "purpose": "batch"}
BATCH = {"id": "batch_1", "object": "batch", "endpoint": "/v1/chat/completions", "status": "validating"}


async def test_files(gateway, provider, client):
    content = b'{"custom_id": "1"}\n' * 1000
    provider.routes["POST /v1/files"] = answer_json(FILE)
    provider.routes["GET /v1/files"] = answer_json({"object": "list", "data": [FILE], "has_more": False})
    provider.routes["GET /v1/files/file-1"] = answer_json(FILE)
    provider.routes["GET /v1/files/file-1/content"] = answer_bytes(content, "application/octet-stream")
    provider.routes["DELETE /v1/files/file-1"] = answer_json({"id": "file-1", "object": "file", "deleted": True})
    assert client.files.create(file=("a.jsonl", content), purpose="batch").id == "file-1"
    assert content in provider.last.body
    check_request(provider, "POST", "/v1/files", provider.last.headers["content-type"])
    assert [file.id for file in client.files.list(purpose="batch", limit=5)] == ["file-1"]
    assert provider.last.target == "/v1/files?limit=5&purpose=batch"
    assert client.files.retrieve("file-1").filename == "a.jsonl"
    provider.seen.clear()
    raw = client.files.with_raw_response.content("file-1")
    assert raw.content == content
    check_request(provider, "GET", "/v1/files/file-1/content", None)
    assert client.files.delete("file-1").deleted
    row = await wait_for_record(gateway, raw.headers["x-antiphon-call-id"])
    shown = {name: row[name] for name in ("operation", "model", "target", "provider", "outcome", "cost", "status")}
    assert shown == {"operation": "files", "model": "", "target": "far", "provider": "far", "outcome": "success",
                     "cost": 0, "status": 200}  # fmt: skip


async def test_an_empty_file_is_passed_on(gateway, provider, client):
    provider.routes["GET /v1/files/file-1/content"] = answer_bytes(b"", "application/octet-stream")
    assert client.files.content("file-1").content == b""


async def test_batches(gateway, provider, client):
    provider.routes["POST /v1/batches"] = answer_json(BATCH)
    provider.routes["POST /v1/batches/batch_1/cancel"] = answer_json(BATCH)
    raw = client.batches.with_raw_response.create(
        completion_window="24h", endpoint="/v1/chat/completions", input_file_id="file-1"
    )
    assert raw.parse().id == "batch_1"
    seen = check_request(provider, "POST", "/v1/batches", JSON)
    assert seen.json == {
        "completion_window": "24h", "endpoint": "/v1/chat/completions", "input_file_id": "file-1",
    }  # fmt: skip
    assert client.batches.cancel("batch_1").id == "batch_1"
    row = await wait_for_record(gateway, raw.headers["x-antiphon-call-id"])
    assert (row["operation"], row["cost"]) == ("batches", None)


async def test_fine_tuning(gateway, provider, client):
    provider.routes["POST /v1/fine_tuning/jobs"] = answer_json({"id": "ftjob-1", "object": "fine_tuning.job"})
    provider.routes["GET /v1/fine_tuning/jobs/ftjob-1/events"] = answer_json({"object": "list", "data": []})
    assert client.fine_tuning.jobs.create(model="gpt-4o-mini", training_file="file-1").id == "ftjob-1"
    assert check_request(provider, "POST", "/v1/fine_tuning/jobs", JSON).json["model"] == "gpt-4o-mini"
    assert list(client.fine_tuning.jobs.list_events("ftjob-1", extra_query={"provider": "far"})) == []
    assert provider.last.target == "/v1/fine_tuning/jobs/ftjob-1/events"


@pytest.mark.parametrize("field", ["x-antiphon-provider", "x-antiphon-model"])
async def test_a_repeated_antiphon_header_is_refused(gateway, provider, field):
    form = {"content-type": "multipart/form-data; boundary=b"}
    path = "/v1/files" if field == "x-antiphon-provider" else "/v1/audio/transcriptions"
    got = await post(gateway.port, path, b"--b--\r\n", gateway.key, {**form, field: "far", field.title(): "ranks"})
    assert (got.status, got.json["error"]["message"]) == (400, f"The request has 2 header fields {field}; send one.")
    assert provider.seen == []


@pytest.mark.parametrize(
    ("query", "header", "message"),
    [
        ("?provider=nobody", None, "not configured"),
        ("?provider=ranks", None, "does not offer it: files are offered here by far"),
        ("?provider=far", "ranks", "two providers"),
        ("", "ranks", "does not offer it"),
    ],
)
async def test_the_provider_must_support_the_operation(gateway, provider, query, header, message):
    headers = {"x-antiphon-provider": header} if header else {}
    got = await post(gateway.port, f"/v1/files{query}", {}, gateway.key, headers)
    assert got.status == 400
    assert message in got.json["error"]["message"]
    assert provider.seen == []


@pytest.mark.parametrize("below", ["..", "a/../b", "a//b", "%2e%2e", "a%2Fb", "a/b/c/d/e", "a b", "a/.", "ä"])
async def test_only_ids_are_allowed_below_a_path(gateway, provider, below):
    got = await post(gateway.port, f"/v1/files/{below}", {}, gateway.key)
    assert got.status in (400, 404)
    assert provider.seen == []


async def test_an_error_of_the_provider_is_passed_on(gateway, provider, client):
    with pytest.raises(openai.NotFoundError, match="nothing at GET /v1/files/none"):
        client.files.retrieve("none")


# Rights and errors.


async def test_a_limited_key_reaches_its_models_only(gateway, provider, limited):
    provider.routes["POST /v1/audio/transcriptions"] = answer_json({"text": "x"})
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=limited, max_retries=0) as bound:
        assert bound.audio.transcriptions.create(file=("a.wav", WAV), model="ears").text == "x"
        with pytest.raises(openai.PermissionDeniedError) as refusal:
            bound.audio.transcriptions.create(file=("a.wav", WAV), model="far/whisper-1")
        assert refusal.value.code == "model_not_allowed"
        with pytest.raises(openai.PermissionDeniedError) as refusal:
            bound.audio.speech.create(input="x", model="far/tts-1", voice="alloy")
        assert refusal.value.code == "model_not_allowed"
        with pytest.raises(openai.PermissionDeniedError) as refusal:
            bound.files.list()
        assert refusal.value.code == "operation_not_allowed"
    assert len(provider.seen) == 1


async def test_unknown_models_and_operations_are_refused(gateway, provider, client):
    with pytest.raises(openai.NotFoundError) as missing:
        client.audio.transcriptions.create(file=("a.wav", WAV), model="nobody-has-this")
    assert missing.value.code == "model_not_found"
    with pytest.raises(openai.BadRequestError, match="does not offer transcriptions"):
        client.audio.transcriptions.create(file=("a.wav", WAV), model="ranks/x")
    with pytest.raises(openai.BadRequestError, match="`input` is missing"):
        client.post("/audio/speech", body={"model": "far/tts-1"}, cast_to=object)
    assert provider.seen == []


async def test_an_error_with_status_200_is_an_error(gateway, provider):
    provider.routes["POST /v1/moderations"] = answer_json({"error": {"message": "overloaded"}})
    got = await post(gateway.port, "/v1/moderations", {"model": "far/m", "input": "x"}, gateway.key)
    assert (got.status, got.json["error"]["code"]) == (502, "upstream_bad_answer")
    assert (await gateway.wait_for_record(got))["outcome"] == "error"


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/v1/audio/transcriptions", "application/json"),
        ("/v1/audio/transcriptions", "multipart/mixed; boundary=x"),
        ("/v1/images/edits", "application/x-www-form-urlencoded"),
        ("/v1/images/generations", "multipart/form-data; boundary=x"),
        ("/v1/rerank", "text/plain"),
    ],
)
async def test_wrong_content_types_are_refused(gateway, provider, path, kind):
    got = await post(gateway.port, path, b"--x--\r\n", gateway.key, {"content-type": kind})
    assert (got.status, got.json["error"]["code"]) == (415, "unsupported_media")
    assert provider.seen == []


async def test_the_official_client_uploads_from_a_stream(gateway, provider, client):
    """A file without a known length is uploaded in chunks."""
    provider.routes["POST /v1/files"] = answer_json(FILE)

    class Endless(io.RawIOBase):
        left = 300_000

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            size = min(len(buffer), self.left)
            buffer[:size] = b"y" * size
            self.left -= size
            return size

    client.files.create(file=("y.jsonl", io.BufferedReader(Endless())), purpose="batch")
    assert provider.last.size > 300_000
