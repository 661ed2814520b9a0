"""Embeddings on every pair of wires: the official clients, and providers that check what they are asked."""

import json
from base64 import b64encode
from struct import pack
from typing import Any

import openai
import pytest
from google.genai import errors, types

from processes import PATIENCE, post, wait_until
from server.operations.provider import Exchange, Handler, answer_json

GEMINI = "POST /v1beta/models/gemini-embedding-001:batchEmbedContents"
OPENAI = "POST /v1/embeddings"


def make_vector(text: str) -> list[float]:
    return [float(len(text)), 0.5]


def answer_as_gemini(*, tokens: bool = True) -> Handler:
    """Answer with a vector for each content, in order: its length is the first number."""

    async def answer_request(exchange: Exchange) -> None:
        await exchange.read()
        requests = exchange.json["requests"]
        assert len(requests) <= 100
        texts = ["".join(part["text"] for part in request["content"]["parts"]) for request in requests]
        answer: dict[str, Any] = {"embeddings": [{"values": make_vector(text)} for text in texts]}
        if tokens:
            answer["usageMetadata"] = {"promptTokenCount": sum(map(len, texts))}
        await exchange.answer(json.dumps(answer).encode())

    return answer_request


def answer_as_openai(*, base64: bool = False) -> Handler:
    """Answer with a vector for each text, the last one first, so only the index gives the order."""

    async def answer_request(exchange: Exchange) -> None:
        await exchange.read()
        data = []
        for place, text in enumerate(exchange.json["input"]):
            values: Any = make_vector(text)
            if base64:
                values = b64encode(pack("<2f", *values)).decode()
            data.insert(0, {"object": "embedding", "index": place, "embedding": values})
        answer = {"object": "list", "data": data, "model": "m", "usage": {"prompt_tokens": 5, "total_tokens": 5}}
        await exchange.answer(json.dumps(answer).encode())

    return answer_request


async def test_openai_to_gemini(gateway, provider, client):
    provider.routes[GEMINI] = answer_as_gemini()
    raw = client.embeddings.with_raw_response.create(
        model="gem/gemini-embedding-001", input=["a", "äö\n"], dimensions=2, user="me",
        extra_body={"input_type": "search_query"},
    )  # fmt: skip
    answer = raw.parse()
    assert [(each.index, each.embedding) for each in answer.data] == [(0, [1.0, 0.5]), (1, [3.0, 0.5])]
    assert (answer.model, answer.usage.prompt_tokens, answer.usage.total_tokens) == ("gemini-embedding-001", 4, 4)
    assert raw.headers["x-antiphon-dropped"] == "user"
    assert raw.headers["x-antiphon-target"] == "gem/gemini-embedding-001"
    (seen,) = provider.seen
    assert seen.headers["x-goog-api-key"] == "gem-key"
    assert "authorization" not in seen.headers
    one = {"model": "models/gemini-embedding-001", "taskType": "RETRIEVAL_QUERY", "outputDimensionality": 2}
    sent = [{**one, "content": {"parts": [{"text": text}]}} for text in ("a", "äö\n")]
    assert seen.json == {"requests": sent}


async def test_vectors_are_floats_or_base64_as_the_caller_wants(gateway, provider):
    provider.routes[GEMINI] = answer_as_gemini()
    body = {"model": "gem/gemini-embedding-001", "input": "abc"}
    plain = await post(gateway.port, "/v1/embeddings", body, gateway.key)
    assert plain.json["data"] == [{"object": "embedding", "index": 0, "embedding": [3.0, 0.5]}]
    coded = await post(gateway.port, "/v1/embeddings", {**body, "encoding_format": "base64"}, gateway.key)
    assert coded.json["data"][0]["embedding"] == b64encode(pack("<2f", 3.0, 0.5)).decode()


async def test_later_models_get_the_purpose_in_the_text(gateway, provider, client):
    provider.routes["POST /v1beta/models/gemini-embedding-2:batchEmbedContents"] = answer_as_gemini()
    purpose = {"extra_body": {"task_type": "RETRIEVAL_QUERY"}}
    client.embeddings.create(model="gem/gemini-embedding-2", input="why {}?", **purpose)
    (request,) = provider.last.json["requests"]
    assert request["content"]["parts"] == [{"text": "task: search result | query: why {}?"}]
    assert "taskType" not in request


async def test_more_inputs_than_a_batch_may_have_are_sent_in_several(gateway, provider, client):
    provider.routes[GEMINI] = answer_as_gemini()
    texts = ["x" * (1 + place % 7) for place in range(1050)]
    raw = client.embeddings.with_raw_response.create(model="gem/gemini-embedding-001", input=texts)
    answer = raw.parse()
    assert [each.embedding for each in answer.data] == [make_vector(text) for text in texts]
    assert len(provider.seen) == 11
    assert answer.usage.prompt_tokens == sum(map(len, texts))
    await wait_until(lambda: [row for row in gateway.list_records() if row["id"] == raw.headers["x-antiphon-call-id"]])
    (record,) = [row for row in gateway.list_records() if row["id"] == raw.headers["x-antiphon-call-id"]]
    assert (record["input"], record["operation"]) == (sum(map(len, texts)), "embeddings")


async def test_one_failed_batch_fails_the_call_and_ends_the_others(gateway, provider, client):
    works = answer_as_gemini()

    async def fail_last_batch(exchange: Exchange) -> None:
        await exchange.read()
        if len(exchange.json["requests"]) < 100:  # the last part
            problem = {"error": {"code": 429, "message": "slow down", "status": "RESOURCE_EXHAUSTED"}}
            await exchange.answer(json.dumps(problem).encode(), status=429, retry_after="7")
            return
        if not await exchange.reader.read(1):
            raise ConnectionResetError

    provider.routes[GEMINI] = fail_last_batch
    with pytest.raises(openai.RateLimitError) as caught:
        client.embeddings.create(model="gem/gemini-embedding-001", input=["x"] * 250)
    assert "slow down" in caught.value.message
    assert caught.value.response.headers["retry-after"] == "7"
    assert provider.left.wait(PATIENCE)
    provider.routes[GEMINI] = works
    assert len(client.embeddings.create(model="gem/gemini-embedding-001", input=["x"] * 101).data) == 101


async def test_invalid_inputs_are_refused_before_anything_is_sent(gateway, provider, client):
    for wrong, message in (
        ([1, 2, 3], "token ids"),
        ([[1, 2], [3]], "token ids"),
        (["a", ""], r"input\[1\]"),
        ([{"text": "a"}], r"input\[0\]"),
        (["a"] * 2049, "2049"),
    ):
        with pytest.raises(openai.BadRequestError, match=message) as caught:
            client.embeddings.create(model="gem/gemini-embedding-001", input=wrong)
        assert caught.value.param.startswith("input")
    for fields in ({"dimensions": 0}, {"encoding_format": "int8"}):
        with pytest.raises(openai.BadRequestError) as caught:
            client.embeddings.create(model="gem/gemini-embedding-001", input="a", **fields)
        assert caught.value.param in fields
    assert provider.seen == []


async def test_gemini_to_openai(gateway, provider, google):
    provider.routes[OPENAI] = answer_as_openai()
    answer = google.models.embed_content(
        model="oai/text-embedding-3-small",
        contents=["a", "bcd"],
        config=types.EmbedContentConfig(output_dimensionality=2, task_type="RETRIEVAL_QUERY", title="t"),
    )
    assert [each.values for each in answer.embeddings or []] == [[1.0, 0.5], [3.0, 0.5]]
    headers = answer.sdk_http_response.headers
    assert headers["x-antiphon-dropped"] == "title, taskType"
    assert provider.last.json == {"model": "text-embedding-3-small", "input": ["a", "bcd"], "dimensions": 2}
    assert provider.last.headers["authorization"] == "Bearer oai-key"


@pytest.mark.parametrize("base64", [False, True])
async def test_gemini_embed_content_to_openai(gateway, provider, base64):
    provider.routes[OPENAI] = answer_as_openai(base64=base64)
    body = {"content": {"parts": [{"text": "a"}, {"text": "b"}]}}
    got = await post(gateway.port, "/v1beta/models/oai%2Fm:embedContent", body, gateway.key)
    usage = {"promptTokenCount": 5, "totalTokenCount": 5}
    assert got.json == {"embedding": {"values": [3.0, 0.5]}, "usageMetadata": usage}
    assert provider.last.json == {"model": "m", "input": ["a\nb"]}


async def test_gemini_is_refused_in_its_own_shape(gateway, provider, google):
    with pytest.raises(errors.ClientError, match="Only text"):
        google.models.embed_content(model="oai/m", contents=[types.Part.from_bytes(data=b"x", mime_type="image/png")])
    requests = [
        {"model": "models/m", "content": {"parts": [{"text": "a"}]}, "outputDimensionality": size} for size in (1, 2)
    ]
    got = await post(gateway.port, "/v1beta/models/oai%2Fm:batchEmbedContents", {"requests": requests}, gateway.key)
    assert (got.status, got.json["error"]["status"]) == (400, "INVALID_ARGUMENT")
    assert "same in every request" in got.json["error"]["message"]
    assert provider.seen == []


async def test_the_same_wire_passes_unchanged(gateway, provider):
    answer = {"data": [], "unheard": 1}
    provider.routes[OPENAI] = answer_json(answer)
    body = b'{ "input":[[1, 2]],"model" : "oai/m", "unheard":2.50}'
    got = await post(gateway.port, "/v1/embeddings", body, gateway.key)
    assert (got.json, provider.last.body) == (answer, body.replace(b"oai/m", b"m"))


async def test_a_model_with_targets_of_both_wires(gateway, provider, client):
    provider.routes[OPENAI] = answer_json({"error": {"message": "down"}}, status=503)
    provider.routes[GEMINI] = answer_as_gemini(tokens=False)
    answer = client.embeddings.create(model="vectors", input="abcdefgh")
    assert answer.data[0].embedding == [8.0, 0.5]
    assert answer.usage.prompt_tokens == 2, "the gateway counts, because the provider did not"
    assert [seen.target for seen in provider.seen] == ["/v1/embeddings", GEMINI.partition(" ")[2]]


@pytest.mark.parametrize("answer", [{}, {"embeddings": []}, {"embeddings": [{"values": ["x"]}]}, {"error": {}}])
async def test_an_invalid_answer_is_an_error(gateway, provider, client, answer):
    provider.routes[GEMINI] = answer_json(answer)
    with pytest.raises(openai.InternalServerError) as caught:
        client.embeddings.create(model="gem/gemini-embedding-001", input="a")
    assert caught.value.status_code == 502
