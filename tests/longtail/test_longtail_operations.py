"""Operations beside chat through LiteLLM: embeddings, rerank, images, speech and moderations."""

import base64
import json

import pytest

from antiphon.transport import Request
from antiphon.transport.request_head import build_head
from antiphon.types import Origin
from longtail.conftest import RuntimeClient
from longtail.provider import RecordingProvider, Reply, make_reply

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(400)]  # the first one installs LiteLLM


async def test_embeddings(client: RuntimeClient, provider: RecordingProvider):
    data = [{"object": "embedding", "index": index, "embedding": [index, 0.5]} for index in range(2)]
    usage = {"prompt_tokens": 2, "total_tokens": 2}
    provider.choose_reply = lambda _: make_reply({"object": "list", "data": data, "model": "m", "usage": usage})
    document = await client.ask("embeddings", "openai/text-embedding-3-small", input=["a", "b"], dimensions=2)
    assert provider.last.target == "/v1/embeddings"
    assert provider.last.body["input"] == ["a", "b"]
    assert provider.last.body["dimensions"] == 2
    assert [each["embedding"] for each in document["data"]] == [[0, 0.5], [1, 0.5]]
    assert document["usage"]["prompt_tokens"] == 2


async def call_worker(
    client: RuntimeClient, model: str, operation: str, body: bytes
) -> tuple[int, dict[bytes, bytes], bytes]:
    """Call an operation of LiteLLM's process directly, without the gateway's wires."""
    target = client.runtime.catalog.resolve(model).targets[0]
    headers: list[tuple[str, str]] = [("content-type", "application/json"), *target.headers]
    if target.credential is not None:
        headers.append(("authorization", f"Bearer {target.credential.reveal()}"))
    head = build_head("POST", target.urls[operation], headers, target.origin)
    transport = client.runtime.services.transports.get(target.origin.scheme)
    response = await transport.send(Request(target.origin, head, body, target.origin), 5)
    try:
        return response.status, dict(response.headers), await response.read(1 << 24)
    finally:
        response.close()


async def test_rerank(client: RuntimeClient, provider: RecordingProvider):
    results = [{"index": 1, "relevance_score": 0.9}, {"index": 0, "relevance_score": 0.1}]
    provider.choose_reply = lambda _: make_reply(
        {"id": "r", "results": results, "meta": {"billed_units": {"search_units": 1}}}
    )
    body = b'{"model":"x","query":"q","documents":["a","b"],"top_n":2,"oddity":1}'
    status, _, answer = await call_worker(client, "cohere/rerank-v3.5", "rerank", body)
    assert status == 200, answer
    assert provider.last.path == "/v2/rerank"
    assert provider.last.headers["authorization"].lower() == "bearer cohere-secret-123"
    assert provider.last.body["documents"] == ["a", "b"]
    assert json.loads(answer)["results"] == results


async def test_images(client: RuntimeClient, provider: RecordingProvider):
    picture = base64.b64encode(b"picture").decode()
    provider.choose_reply = lambda _: make_reply({"created": 1, "data": [{"b64_json": picture}]})
    body = b'{"model":"x","prompt":"a cat","n":1,"size":"256x256"}'
    status, _, answer = await call_worker(client, "openai/dall-e-2", "images", body)
    assert status == 200, answer
    assert provider.last.target == "/v1/images/generations"
    assert (provider.last.body["prompt"], provider.last.body["size"]) == ("a cat", "256x256")
    assert json.loads(answer)["data"][0]["b64_json"] == picture


async def test_speech(client: RuntimeClient, provider: RecordingProvider):
    sound = bytes(range(256)) * 1000
    provider.choose_reply = lambda _: Reply(sound, headers={"content-type": "audio/mpeg"})
    body = b'{"model":"x","input":"Hello","voice":"alloy","response_format":"mp3"}'
    status, headers, answer = await call_worker(client, "openai/tts-1", "speech", body)
    assert status == 200, answer
    assert provider.last.target == "/v1/audio/speech"
    assert (provider.last.body["input"], provider.last.body["voice"]) == ("Hello", "alloy")
    assert headers[b"content-type"] == b"audio/mpeg"
    assert answer == sound


async def test_moderations(client: RuntimeClient, provider: RecordingProvider):
    provider.choose_reply = lambda _: make_reply(
        {"id": "m", "model": "o", "results": [{"flagged": False, "categories": {}}]}
    )
    status, _, answer = await call_worker(
        client, "openai/omni-moderation-latest", "moderations", b'{"model":"x","input":"a"}'
    )
    assert status == 200, answer
    assert provider.last.target == "/v1/moderations"


@pytest.mark.parametrize("header", ["", "x-longtail-call: !\r\n", "x-longtail-call: bnVsbA==\r\n"])
async def test_a_call_without_the_gateways_header_is_rejected(
    client: RuntimeClient, provider: RecordingProvider, header: str
):
    origin = Origin("longtail", "litellm", 0)
    head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n" + header.encode()
    response = await client.runtime.services.transports.get("longtail").send(Request(origin, head, b"{}"), 5)
    assert response.status == 400
    assert b"x-longtail-call" in await response.read(1 << 20)
    response.close()
    assert provider.requests == []
