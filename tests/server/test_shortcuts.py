"""A short form arrives at the provider as the request it stands for, without the fields of the short form."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import openai
import pytest

from processes import Gateway, post

PICTURE = "https://pictures.invalid/cat.png"


class RecordingProvider(ThreadingHTTPServer):
    """A provider that records its requests; the provider would fetch an image, not the gateway."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.requests: list[tuple[str, bytes]] = []


class _Handler(BaseHTTPRequestHandler):
    server: RecordingProvider

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.requests.append((self.path, body))
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        message = {"role": "assistant", "content": "A cat."}
        if self.path.endswith("/embeddings"):
            vectors = [{"object": "embedding", "index": 0, "embedding": [0.5]}]
            answer: dict[str, Any] = {"object": "list", "data": vectors, "model": "m", "usage": usage}
        else:
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            answer = {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
        content = json.dumps(answer | {"usage": usage}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing."""


@pytest.fixture(scope="module")
def provider() -> Iterator[RecordingProvider]:
    with RecordingProvider() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def gateway(provider: RecordingProvider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    address = f"http://127.0.0.1:{provider.server_address[1]}"
    providers = {name: {"kind": "openai-compatible", "base_url": f"{address}/{name}"} for name in ("one", "two")}
    running = Gateway(tmp_path_factory.mktemp("shortcuts"), {"providers": providers, "models": {"eye": "one/eye-1"}})
    yield running
    assert running.stop() == 0
    assert "Traceback" not in running.output, running.output


async def test_vision(gateway: Gateway, provider: RecordingProvider) -> None:
    body = {"model": "eye", "prompt": "What is it?", "image_url": PICTURE, "detail": "low", "max_tokens": 5, "x": 2**70}
    answer = await post(gateway.port, "/v1/vision", body, gateway.key)
    assert answer.status == 200
    assert answer.json["choices"][0]["message"]["content"] == "A cat."
    assert answer.headers["x-antiphon-target"] == "one/eye-1"
    path, sent = provider.requests[-1]
    assert path == "/one/chat/completions"
    assert json.loads(sent) == {
        "model": "eye-1",
        "max_tokens": 5,
        "x": 2**70,
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "What is it?"},
                    {"type": "image_url", "image_url": {"url": PICTURE, "detail": "low"}},
                ],
            }
        ],
    }


async def test_vision_is_recorded_as_a_chat(gateway: Gateway) -> None:
    answer = await post(
        gateway.port,
        "/v1/vision",
        {"model": "eye", "prompt": "x", "image_url": "data:image/png;base64,AA=="},
        gateway.key,
    )
    record = await gateway.wait_for_record(answer)
    assert (record["operation"], record["outcome"]) == ("chat", "success")


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"prompt": ""}, "prompt"),
        ({"prompt": None}, "prompt"),
        ({"image_url": "file:///etc/passwd"}, "image_url"),
        ({"image_url": "cat.png"}, "image_url"),
        ({"image_url": {"url": PICTURE}}, "image_url"),
        ({"image_url": ""}, "image_url"),
        ({"messages": []}, "messages"),
        ({"model": 3}, "model"),
    ],
)
async def test_vision_refuses(
    gateway: Gateway, provider: RecordingProvider, change: dict[str, Any], param: str
) -> None:
    before = len(provider.requests)
    body = {"model": "eye", "prompt": "x", "image_url": PICTURE, **change}
    answer = await post(gateway.port, "/v1/vision", body, gateway.key)
    assert (answer.status, answer.json["error"]["param"]) == (400, param)
    assert len(provider.requests) == before


def test_embeddings_of_a_provider(gateway: Gateway, provider: RecordingProvider) -> None:
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.key, max_retries=0) as client:
        for model in ("vec/tor", "two/vec/tor"):
            client.embeddings.create(model=model, input="x", encoding_format="float", extra_body={"provider": "two"})
            path, sent = provider.requests[-1]
            assert path == "/two/embeddings"
            assert json.loads(sent) == {"model": "vec/tor", "input": "x", "encoding_format": "float"}
        with pytest.raises(openai.BadRequestError) as caught:
            client.embeddings.create(model="v", input="x", extra_body={"provider": "three"})
        assert caught.value.param == "provider"


async def test_embeddings_with_an_escaped_key(gateway: Gateway, provider: RecordingProvider) -> None:
    body = b'{"pr\\u006fvider": "two", "model": "v", "input": "x"}'
    answer = await post(gateway.port, "/v1/embeddings", body, gateway.key)
    assert answer.status == 200
    path, sent = provider.requests[-1]
    assert (path, json.loads(sent)) == ("/two/embeddings", {"model": "v", "input": "x"})


async def test_other_embeddings_are_not_touched(gateway: Gateway, provider: RecordingProvider) -> None:
    """A `provider` that is not text is a field of some provider; the word in an input is just text."""
    for body in (
        b'{"model": "one/v", "input": "the provider",  "x": 1.50}',
        b'{"model": "one/v", "input": "x", "provider": {"order": ["a"]}}',
    ):
        assert (await post(gateway.port, "/v1/embeddings", body, gateway.key)).status == 200
        assert provider.requests[-1] == ("/one/embeddings", body.replace(b"one/v", b"v"))
