"""Embeddings of Bedrock's and Vertex AI's models, each asked in its own form, with the official OpenAI client."""

import json
from typing import Any

import openai
import pytest

from server.operations.provider import Exchange, Handler, answer_json

TITAN = "POST /model/amazon.titan-embed-text-v2%3A0/invoke"
NOVA = "POST /model/amazon.nova-2-multimodal-embeddings-v1%3A0/invoke"
COHERE = "POST /model/cohere.embed-v4%3A0/invoke"
VERTEX = "POST /v1/projects/p/locations/global/publishers/google/models"


def answer_with(make: Any) -> Handler:
    async def answer_request(exchange: Exchange) -> None:
        await exchange.read()
        await exchange.answer(json.dumps(make(exchange.json)).encode())

    return answer_request


def list_vectors(answer: Any) -> list[list[float]]:
    return [each.embedding for each in answer.data]


def test_titan_takes_one_text_at_a_time(provider, client: openai.OpenAI):
    provider.routes[TITAN] = answer_with(
        lambda request: {"embedding": [len(request["inputText"])], "inputTextTokenCount": 2, "embeddingsByType": {}}
    )
    texts = ["x" * (place + 1) for place in range(20)]
    raw = client.embeddings.with_raw_response.create(
        model="rock/amazon.titan-embed-text-v2:0", input=texts, dimensions=256, extra_body={"input_type": "query"}
    )
    answer = raw.parse()
    assert list_vectors(answer) == [[place + 1] for place in range(20)]
    assert answer.usage.prompt_tokens == 40
    assert raw.headers["x-antiphon-dropped"] == "input_type"
    assert len(provider.seen) == 20
    assert {frozenset(seen.json) for seen in provider.seen} == {frozenset(("inputText", "dimensions"))}
    assert provider.last.headers["authorization"] == "Bearer rock-key"


def test_each_request_of_a_call_is_signed(provider, client: openai.OpenAI):
    provider.routes[TITAN] = answer_with(lambda request: {"embedding": [0.5], "inputTextTokenCount": 1})
    client.embeddings.create(model="signed/amazon.titan-embed-text-v2:0", input=["a", "b", "c"])
    signatures = {seen.headers["authorization"] for seen in provider.seen}
    assert len(signatures) == 3, "the body is signed too"
    assert all(each.startswith("AWS4-HMAC-SHA256 Credential=AKID/") for each in signatures)


def test_nova_gets_the_purpose_of_the_vectors(provider, client: openai.OpenAI):
    provider.routes[NOVA] = answer_with(lambda request: {"embeddings": [{"embeddingType": "TEXT", "embedding": [0.5]}]})
    model = "rock/amazon.nova-2-multimodal-embeddings-v1:0"
    answer = client.embeddings.create(model=model, input="abcdefgh", extra_body={"input_type": "search_query"})
    assert list_vectors(answer) == [[0.5]]
    assert answer.usage.prompt_tokens == 2, "the gateway counts"
    text = {"truncationMode": "NONE", "value": "abcdefgh"}
    params = {"embeddingPurpose": "TEXT_RETRIEVAL", "text": text}
    assert provider.last.json == {"taskType": "SINGLE_EMBEDDING", "singleEmbeddingParams": params}


def test_cohere_always_gets_an_input_type(provider, client: openai.OpenAI):
    provider.routes[COHERE] = answer_with(
        lambda request: {"embeddings": {"float": [[len(text)] for text in request["texts"]]}}
    )
    answer = client.embeddings.create(model="rock/cohere.embed-v4:0", input=["a", "bc"] * 60, dimensions=512)
    assert list_vectors(answer) == [[1], [2]] * 60
    assert sorted(len(seen.json.pop("texts")) for seen in provider.seen) == [24, 96]
    how = {"input_type": "search_document", "embedding_types": ["float"], "output_dimension": 512}
    assert all({key: seen.json[key] for key in how} == how for seen in provider.seen)


def test_vertex_models_use_predict_or_embed_content(provider, client: openai.OpenAI):
    provider.routes[f"{VERTEX}/text-embedding-005:predict"] = answer_with(
        lambda request: {
            "predictions": [
                {"embeddings": {"values": [len(each["content"])], "statistics": {"token_count": 3, "truncated": False}}}
                for each in request["instances"]
            ]
        }
    )
    answer = client.embeddings.create(
        model="cloud/text-embedding-005", input=["a", "bc"] * 5, dimensions=8, extra_body={"task_type": "CLUSTERING"}
    )
    assert list_vectors(answer) == [[1], [2]] * 5
    assert answer.usage.prompt_tokens == 30
    assert sorted(len(seen.json["instances"]) for seen in provider.seen) == [2, 8]
    assert provider.last.json["parameters"] == {"outputDimensionality": 8}
    assert provider.last.json["instances"][0]["task_type"] == "CLUSTERING"
    provider.seen.clear()
    provider.routes[f"{VERTEX}/gemini-embedding-2:embedContent"] = answer_with(
        lambda request: {"embedding": {"values": [0.5]}, "usageMetadata": {"promptTokenCount": 4}}
    )
    answer = client.embeddings.create(model="cloud/gemini-embedding-2", input=["a", "b"])
    assert (list_vectors(answer), answer.usage.prompt_tokens) == ([[0.5], [0.5]], 8)
    assert [list(seen.json) for seen in provider.seen] == [["content"], ["content"]]


def test_a_model_without_embeddings_is_refused(provider, client: openai.OpenAI):
    with pytest.raises(openai.BadRequestError, match="does not offer embeddings"):
        client.embeddings.create(model="rock/anthropic.claude-x", input="a")
    assert provider.seen == []


@pytest.mark.parametrize("route", [TITAN, NOVA, COHERE])
def test_invalid_answers_and_refusals_are_errors(provider, client: openai.OpenAI, route: str):
    model = "rock/" + route.split("/")[2].replace("%3A", ":")
    provider.routes[route] = answer_json({"embeddings": []} if route is not NOVA else {"embeddings": [{}]})
    with pytest.raises(openai.InternalServerError) as caught:
        client.embeddings.create(model=model, input="a")
    assert caught.value.status_code == 502
    provider.routes[route] = answer_json({"message": "too long"}, status=400)
    with pytest.raises(openai.BadRequestError, match="too long"):
        client.embeddings.create(model=model, input="a")
