"""Invalid requests are rejected in OpenAI's error shape, before any work."""

from typing import Any

import msgspec
import pytest

from antiphon.local.request import MAX_TEXTS
from local.models import ConfiguredTransport, ask, send

KINDS = {400: "invalid_request_error", 404: "invalid_request_error"}


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"input": ""}, "input"),
        ({"input": []}, "input"),
        ({"input": ["fine", ""]}, "input"),
        ({"input": [1, 2, 3]}, "input"),
        ({"input": [[1, 2], [3]]}, "input"),
        ({"input": ["fine", 3]}, "input"),
        ({"input": ["fine", None]}, "input"),
        ({"input": {"text": "x"}}, "input"),
        ({"input": ["x"] * (MAX_TEXTS + 1)}, "input"),
        ({"input": "x", "dimensions": 0}, "dimensions"),
        ({"input": "x", "dimensions": -5}, "dimensions"),
        ({"input": "x", "encoding_format": "hex"}, "encoding_format"),
        ({"input": "x", "dimensions": "8"}, None),
        ({}, None),
    ],
)
async def test_bad_requests(fields: dict[str, Any], param: str | None):
    answer = await send(ConfiguredTransport(), msgspec.json.encode({"model": "hash-256", **fields}))
    assert answer.status == 400
    assert answer.error["type"] == KINDS[400]
    assert answer.error["param"] == param
    assert answer.headers[b"content-type"] == b"application/json"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b"[" * 5000])
async def test_bodies_that_are_not_requests(body: bytes):
    assert (await send(ConfiguredTransport(), body)).status == 400


async def test_token_ids_have_their_own_error_code():
    answer = await ask(ConfiguredTransport(), "hash-256", [[1, 2]])
    assert answer.error["code"] == "tokens_not_supported"


async def test_the_error_for_an_unknown_model_names_the_known_ones():
    transport = ConfiguredTransport({"own": {"small": "/nowhere", "large": "/nowhere"}})
    answer = await ask(transport, "medium", "x", provider="own")
    assert (answer.status, answer.error["code"], answer.error["param"]) == (404, "model_not_found", "model")
    for name in ("own", "medium", "small", "large", "hash-256"):
        assert f"`{name}`" in answer.error["message"]
    other = await ask(transport, "small", "x", provider="other")
    assert other.status == 404  # one provider cannot use the models of another


@pytest.mark.parametrize(("method", "path"), [("GET", "/v1/embeddings"), ("POST", "/v1/chat/completions")])
async def test_other_paths_and_methods_are_not_found(method: str, path: str):
    answer = await send(ConfiguredTransport(), b"{}", method=method, path=path)
    assert (answer.status, answer.error["code"]) == (404, "not_found")
