"""Lists of models in the format of each wire's clients, lists of providers, and both for a limited key."""

import http.client
import json
import time
from collections.abc import Iterator
from typing import Any

import anthropic
import openai
import pytest
from google import genai
from google.genai import types

from processes import PATIENCE, Gateway, run_cli

SECRET = "sk-never-shown-0123456789"
CONFIG = {
    "providers": {
        "far": {
            "kind": "openai-compatible",
            "base_url": "http://127.0.0.1:9/v1",
            "api_key": SECRET,
            "headers": {"x-team": SECRET},
            "models": [f"model-{number}" for number in range(30)],
        },
        "openai": {"api_key": SECRET, "models": ["gpt-5"]},
        "cohere": {"api_key": SECRET, "models": ["command-a-03-2025"]},
    },
    "models": {"mine": {"targets": ["sim/echo"], "aliases": ["also-mine"]}, "away": "far/model-1"},
}
GEMINI = {"x-goog-api-client": "test"}
ANTHROPIC = {"anthropic-version": "2023-06-01"}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    running = Gateway(tmp_path_factory.mktemp("listing"), CONFIG)
    yield running
    assert running.stop() == 0
    assert "Traceback" not in running.output, running.output
    assert SECRET not in running.output


@pytest.fixture(scope="module")
def limited(gateway: Gateway) -> str:
    """A key for two models, one of which no longer exists."""
    created = run_cli("keys", "create", "--data", str(gateway.data), "--json", "--model", "mine", "--model", "gone")
    key: str = json.loads(created.stdout)["key"]
    until = time.monotonic() + PATIENCE
    while get(gateway, "/v1/models", key=key)[0] != 200 and time.monotonic() < until:
        time.sleep(0.05)
    return key


def get(gateway: Gateway, path: str, key: str | None = None, **headers: str) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=PATIENCE)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        connection.request("GET", path, headers={"Authorization": f"Bearer {key or gateway.key}", **named})
        answer = connection.getresponse()
        content = answer.read()
    finally:
        connection.close()
    assert SECRET.encode() not in content
    return answer.status, json.loads(content)


def list_names(gateway: Gateway, path: str = "/v1/models", key: str | None = None) -> list[str]:
    status, body = get(gateway, path, key)
    assert status == 200
    return [entry["id"] for entry in body["data"]]


def test_openai(gateway: Gateway) -> None:
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.key) as client:
        listed = [model.id for model in client.models.list()]
    assert {"mine", "also-mine", "away", "far/model-7", "openai/gpt-5", "sim/echo"} <= set(listed)
    assert listed == list_names(gateway)


def test_anthropic(gateway: Gateway) -> None:
    with anthropic.Anthropic(base_url=gateway.url, api_key=gateway.key) as client:
        page = client.models.list(limit=7)
        assert page.has_more
        assert [model.id for model in page] == list_names(gateway)  # every page, one after the other
        model = client.models.retrieve("openai/gpt-5")
        assert (model.id, model.type, model.display_name, model.lifecycle) == (
            "openai/gpt-5", "model", "openai/gpt-5", "active",
        )  # fmt: skip
        assert model.created_at.year >= 2026
        assert model.max_input_tokens
        with pytest.raises(anthropic.NotFoundError) as caught:
            client.models.retrieve("nothing")
        assert caught.value.body["error"]["type"] == "not_found_error"


def test_anthropic_pages_both_ways(gateway: Gateway) -> None:
    every = list_names(gateway)

    def page(query: str) -> dict[str, Any]:
        status, body = get(gateway, f"/v1/models?{query}", anthropic_version="2023-06-01")
        assert status == 200
        assert set(body) == {"data", "has_more", "first_id", "last_id"}
        shown = [entry["id"] for entry in body["data"]]
        assert (body["first_id"], body["last_id"]) == ((shown[0], shown[-1]) if shown else (None, None))
        return {"ids": shown, "more": body["has_more"]}

    assert page("") == {"ids": every[:20], "more": True}
    assert page("limit=3&after_id=" + every[4]) == {"ids": every[5:8], "more": True}
    assert page("limit=3&before_id=" + every[5]) == {"ids": every[2:5], "more": True}
    assert page("limit=3&before_id=" + every[2]) == {"ids": every[:2], "more": False}
    assert page("limit=1000") == {"ids": every, "more": False}
    assert page("after_id=" + every[-1]) == {"ids": [], "more": False}
    assert page("lifecycle=retired") == {"ids": [], "more": False}
    for query in ("limit=0", "limit=1001", "limit=x", "after_id=none", f"after_id={every[1]}&before_id={every[3]}"):
        status, body = get(gateway, f"/v1/models?{query}", anthropic_version="2023-06-01")
        assert (status, body["type"], body["error"]["type"]) == (400, "error", "invalid_request_error")


@pytest.mark.parametrize("version", ["v1", "v1beta"])
def test_gemini(gateway: Gateway, version: str) -> None:
    options = types.HttpOptions(base_url=gateway.url, api_version=version)
    with genai.Client(api_key=gateway.key, http_options=options) as client:
        listed = list(client.models.list(config={"page_size": 9}))
        assert [model.name for model in listed] == [f"models/{name}" for name in list_names(gateway)]
        model = client.models.get(model="sim/echo")
        assert (model.name, model.display_name) == ("models/sim/echo", "sim/echo")
        assert model.supported_actions == ["generateContent", "countTokens"]
        assert client.models.get(model="openai/gpt-5").input_token_limit
        with pytest.raises(genai.errors.ClientError) as caught:
            client.models.get(model="nothing")
        assert (caught.value.code, caught.value.status) == (404, "NOT_FOUND")


def test_gemini_pages(gateway: Gateway) -> None:
    every = [f"models/{name}" for name in list_names(gateway)]
    status, body = get(gateway, "/v1beta/models")
    assert status == 200
    assert [model["name"] for model in body["models"]] == every[:50]
    for path in ("/v1beta/models?pageSize=100000", "/v1/models?pageSize=1000"):
        _, body = get(gateway, path, x_goog_api_client="test")
        assert [model["name"] for model in body["models"]] == every
        assert "nextPageToken" not in body
    for query in ("pageSize=0", "pageSize=-1", "pageSize=1&pageSize=2", "pageToken=none"):
        status, body = get(gateway, f"/v1beta/models?{query}")
        assert (status, body["error"]["status"]) == (400, "INVALID_ARGUMENT")


def test_models_of_one_provider(gateway: Gateway) -> None:
    every = list_names(gateway)
    models = list_names(gateway, "/v1/models?provider=far")
    assert models == ["away", *(f"far/model-{number}" for number in range(30) if f"far/model-{number}" in every)]
    assert "mine" in list_names(gateway, "/v1/models?provider=sim")
    _, body = get(gateway, "/v1beta/models?provider=far")
    assert [model["baseModelId"] for model in body["models"]] == models
    for query in ("provider=none", "provider=", "provider=far&provider=sim"):
        status, body = get(gateway, f"/v1/models?{query}")
        assert (status, body["error"]["param"]) == (400, "provider")


def test_providers(gateway: Gateway) -> None:
    status, body = get(gateway, "/v1/providers")
    assert (status, body["object"]) == (200, "list")
    listed = {entry["name"]: entry for entry in body["data"]}
    assert {"far", "openai", "sim"} <= set(listed)
    remote, own, sim = listed["far"], listed["openai"], listed["sim"]
    assert (remote["kind"], remote["base_url"]) == ("openai-compatible", "http://127.0.0.1:9/v1")
    assert [(entry["key_needed"], entry["key_set"]) for entry in (remote, own, sim)] == [
        (False, True), (True, True), (False, False),
    ]  # fmt: skip
    assert "vision" in own["features"]
    assert "chat" in own["operations"]
    assert {"rerank", "embeddings"} <= set(listed["cohere"]["operations"]), "below its prefix, and beside it"
    assert not [name for entry in body["data"] for name in entry["operations"] if "." in name]


def test_a_known_bare_name_is_described_like_any_other_model(gateway: Gateway) -> None:
    status, body = get(gateway, "/v1/models/embed-english-v3.0")
    assert (status, body["id"], body["owned_by"]) == (200, "embed-english-v3.0", "cohere")
    assert (body["operation"], body["price"]["input"]) == ("embeddings", 100_000)
    _, known = get(gateway, "/v1/models/mine")
    assert body["created"] == known["created"] > 0


def test_a_limited_key_sees_what_it_may_use(gateway: Gateway, limited: str) -> None:
    assert list_names(gateway, key=limited) == ["mine"]
    _, body = get(gateway, "/v1/providers", limited)
    assert [entry["name"] for entry in body["data"]] == ["sim"]
    assert get(gateway, "/v1/models?provider=far", limited)[0] == 400
    _, body = get(gateway, "/v1/models", limited, anthropic_version="2023-06-01")
    assert [entry["id"] for entry in body["data"]] == ["mine"]
    _, body = get(gateway, "/v1beta/models", limited)
    assert [entry["baseModelId"] for entry in body["models"]] == ["mine"]
    status, body = get(gateway, "/v1beta/models/away", limited)
    assert (status, body["error"]["status"]) == (403, "PERMISSION_DENIED")


@pytest.mark.parametrize(
    ("path", "headers", "shape"),
    [
        ("/v1/models", {}, {"message", "type", "param", "code"}),
        ("/v1/models", ANTHROPIC, {"type", "message"}),
        ("/v1/models/x", ANTHROPIC, {"type", "message"}),
        ("/v1/models", GEMINI, {"code", "message", "status"}),
        ("/v1beta/models", {}, {"code", "message", "status"}),
        ("/v1/providers", ANTHROPIC, {"message", "type", "param", "code"}),
    ],
)
def test_errors_have_the_format_of_the_client(
    gateway: Gateway, path: str, headers: dict[str, str], shape: set[str]
) -> None:
    given = {name.replace("-", "_"): value for name, value in headers.items()}
    status, body = get(gateway, path, "ap-unknown", **given)
    assert status == 401
    assert shape <= set(body["error"])
