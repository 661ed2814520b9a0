"""The API under additional prefixes: the same routes, rules and errors, and nothing else."""

import http.client
import json
from collections.abc import Iterator
from typing import Any

import anthropic
import openai
import pytest

from antiphon.config import load_config
from antiphon.config.values import OWN_PATHS
from antiphon.errors import ConfigError
from antiphon.server.prefixes import Prefixes
from antiphon.server.routes import ROUTES, find_route
from processes import PATIENCE, Gateway

PREFIXES = ["/api/v1/litellm", "/llm"]
HELLO: Any = [{"role": "user", "content": "Hello"}]


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    running = Gateway(tmp_path_factory.mktemp("prefixes"), {"server": {"prefixes": PREFIXES}})
    yield running
    assert running.stop() == 0
    assert "Traceback" not in running.output, running.output


def ask(gateway: Gateway, method: str, path: str, body: bytes = b"", key: bool = True) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=PATIENCE)
    try:
        headers = {"Authorization": f"Bearer {gateway.key}"} if key else {}
        connection.request(method, path, body or None, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


@pytest.mark.parametrize("base", ["/v1", "/api/v1/litellm", "/api/v1/litellm/v1", "/llm", "/llm/v1"])
def test_the_openai_client(gateway: Gateway, base: str) -> None:
    with openai.OpenAI(base_url=gateway.url + base, api_key=gateway.key, max_retries=0) as client:
        answer = client.chat.completions.create(model="sim/echo", messages=HELLO)
        assert answer.choices[0].message.content == "Hello"
        stream = client.chat.completions.create(model="sim/echo", messages=HELLO, stream=True)
        assert "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices) == "Hello"
        assert client.models.retrieve("sim/echo").id == "sim/echo"
        assert client.embeddings.create(model="sim/embed", input="x").data
        with pytest.raises(openai.NotFoundError):
            client.chat.completions.create(model="none", messages=HELLO)


@pytest.mark.parametrize("base", ["", "/api/v1/litellm"])
def test_the_anthropic_client(gateway: Gateway, base: str) -> None:
    with anthropic.Anthropic(base_url=gateway.url + base, api_key=gateway.key, max_retries=0) as client:
        assert client.messages.create(model="sim/echo", max_tokens=50, messages=HELLO).content[0].text == "Hello"
        with pytest.raises(anthropic.NotFoundError) as caught:
            client.messages.create(model="none", max_tokens=50, messages=HELLO)
        assert caught.value.body["error"]["type"] == "not_found_error"


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method}{route.path.decode()}")
def test_every_route_is_found_with_its_policy(route) -> None:
    paths = Prefixes(PREFIXES)
    path = route.path.replace(b"{}", b"some/name:x")
    forms = [path] + ([path.removeprefix(b"/v1")] if path.startswith(b"/v1/") else [])
    for prefix in PREFIXES:
        for form in forms:
            assert paths.find(route.method, prefix.encode() + form) == find_route(route.method, path)
            assert paths.strip_prefix(prefix.encode() + form) == path
    assert paths.find(route.method, path) == find_route(route.method, path)
    assert paths.strip_prefix(path) == path


@pytest.mark.parametrize("prefix", PREFIXES)
def test_routes_under_a_prefix_need_the_same_key(gateway: Gateway, prefix: str) -> None:
    for path in ("/models", "/v1/models", "/metrics", "/v1/providers", "/v1beta/models"):
        assert ask(gateway, "GET", prefix + path, key=False)[0] == 401
        assert ask(gateway, "GET", prefix + path)[0] == 200
    assert ask(gateway, "POST", f"{prefix}/chat/completions", b"{}", key=False)[0] == 401
    assert ask(gateway, "GET", f"{prefix}/health/live", key=False)[0] == 200


@pytest.mark.parametrize(
    ("path", "shape"),
    [
        ("/v1/messages", {"type", "message"}),
        ("/messages", {"type", "message"}),
        ("/v1beta/models/sim/echo:generateContent", {"code", "message", "status"}),
        ("/models/sim/echo:generateContent", {"code", "message", "status"}),
        ("/chat/completions", {"message", "type", "param", "code"}),
    ],
)
def test_errors_have_the_shape_of_the_route_that_runs(gateway: Gateway, path: str, shape: set[str]) -> None:
    status, body = ask(gateway, "POST", f"/api/v1/litellm{path}", b"{")
    assert status == 400
    assert shape <= set(json.loads(body)["error"])
    assert ask(gateway, "PUT", f"/api/v1/litellm{path}")[0] == 405


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/litellm",
        "/api/v1/litellmx/v1/models",
        "/api/v1",
        "/api/v1/models",
        "/api/v1/litellm//v1/models",
        "/api/v1/litellm/../v1/models",
        "/api/v1/litellm/v1/v1/models",
        "/api/v1/litellm/v1/",
        "/api/v1/litellm/api/v1/litellm/v1/models",
        "/api/v1/litellm/llm/v1/models",
        "/llm/llm/models",
        "/API/v1/litellm/models",
        "/api%2fv1/litellm/models",
        "/api/v1/litellm/%76%31/models",
        "/api/v1/litellm/v1/models/",
        "/llm/admin",
    ],
)
def test_paths_that_only_look_like_a_prefix_are_not_found(gateway: Gateway, path: str) -> None:
    for key in (True, False):
        assert ask(gateway, "GET", path, key=key)[0] == 404


def test_without_prefixes_these_paths_are_404(tmp_path: Any) -> None:
    running = Gateway(tmp_path, {})
    try:
        assert ask(running, "GET", "/api/v1/litellm/v1/models")[0] == 404
    finally:
        assert running.stop() == 0


def test_the_reserved_words_are_those_of_the_routes() -> None:
    assert {route.path.split(b"/")[1].decode() for route in ROUTES} - {""} == set(OWN_PATHS)


GOOD = [[], ["/a"], ["/api/v1/litellm"], ["/a", "/ab"], ["/a/b", "/a/c"], ["/v2"], ["/A-b_c.d~e"]]
BAD = {
    "no slash": ["api"],
    "slash at the end": ["/api/"],
    "nothing": ["/"],
    "two slashes": ["/a//b"],
    "dot": ["/a/."],
    "dots": ["/../v1"],
    "percent": ["/a%2fb"],
    "query": ["/a?b"],
    "space": ["/a b"],
    "own": ["/v1"],
    "below its own": ["/v1/models"],
    "an open one": ["/model/x"],
    "health": ["/health"],
    "twice": ["/a", "/a"],
    "one in the other": ["/a", "/a/v1"],
    "no list": "/a",
    "no text": [1],
    "too many": [f"/a{number}" for number in range(17)],
}


@pytest.mark.parametrize("prefixes", GOOD)
def test_valid_prefixes(tmp_path: Any, prefixes: list[str]) -> None:
    file = tmp_path / "antiphon.yaml"
    file.write_text(json.dumps({"version": 1, "server": {"prefixes": prefixes}}))
    assert load_config(str(file), environ={}).settings.prefixes == tuple(prefixes)


@pytest.mark.parametrize("name", BAD)
def test_invalid_prefixes_are_refused(tmp_path: Any, name: str) -> None:
    file = tmp_path / "antiphon.yaml"
    file.write_text(json.dumps({"version": 1, "server": {"prefixes": BAD[name]}}))
    with pytest.raises(ConfigError, match="prefixes"):
        load_config(str(file), environ={})
