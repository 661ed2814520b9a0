"""What cannot be answered is refused in OpenAI's error shape, before any work."""

from typing import Any

import msgspec
import pytest

from antiphon.local.request import MOST_TEXTS
from local.made import Configured, ask, send

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
        ({"input": ["x"] * (MOST_TEXTS + 1)}, "input"),
        ({"input": "x", "dimensions": 0}, "dimensions"),
        ({"input": "x", "dimensions": -5}, "dimensions"),
        ({"input": "x", "encoding_format": "hex"}, "encoding_format"),
        ({"input": "x", "dimensions": "8"}, None),
        ({}, None),
    ],
)
async def test_bad_requests(fields: dict[str, Any], param: str | None):
    answer = await send(Configured(), msgspec.json.encode({"model": "hash-256", **fields}))
    assert answer.status == 400
    assert answer.error["type"] == KINDS[400]
    assert answer.error["param"] == param
    assert answer.headers[b"content-type"] == b"application/json"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b"[" * 5000])
async def test_bodies_that_are_no_requests(body: bytes):
    assert (await send(Configured(), body)).status == 400


async def test_token_ids_are_told_from_other_faults():
    answer = await ask(Configured(), "hash-256", [[1, 2]])
    assert answer.error["code"] == "tokens_not_supported"


async def test_an_unknown_model_names_those_there_are():
    transport = Configured({"own": {"small": "/nowhere", "large": "/nowhere"}})
    answer = await ask(transport, "medium", "x", provider="own")
    assert (answer.status, answer.error["code"], answer.error["param"]) == (404, "model_not_found", "model")
    for name in ("own", "medium", "small", "large", "hash-256"):
        assert f"`{name}`" in answer.error["message"]
    other = await ask(transport, "small", "x", provider="other")
    assert other.status == 404  # a provider's models are its own


@pytest.mark.parametrize(("method", "path"), [("GET", "/v1/embeddings"), ("POST", "/v1/chat/completions")])
async def test_nothing_but_embeddings(method: str, path: str):
    answer = await send(Configured(), b"{}", method=method, path=path)
    assert (answer.status, answer.error["code"]) == (404, "not_found")
