"""Files and batches: the default provider of a client that names none, and the headers that are passed on."""

import anthropic
import httpx
import openai
import pytest

from server.operations.provider import answer_bytes, answer_json

BATCH = {
    "id": "msgbatch_1", "type": "message_batch", "processing_status": "in_progress", "results_url": None,
    "created_at": "2026-11-20T00:00:00Z", "expires_at": "2026-11-21T00:00:00Z", "archived_at": None,
    "cancel_initiated_at": None, "ended_at": None,
    "request_counts": {"processing": 1, "succeeded": 0, "errored": 0, "canceled": 0, "expired": 0},
}  # fmt: skip
FILE = {
    "id": "file_1", "type": "file", "filename": "a.txt", "mime_type": "text/plain", "size_bytes": 3,
    "created_at": "2026-11-20T00:00:00Z", "downloadable": False,
}  # fmt: skip


def test_message_batches_go_to_the_provider_of_their_wire(provider, claude: anthropic.Anthropic):
    provider.routes["POST /v1/messages/batches"] = answer_json(BATCH)
    params = {"model": "claude-x", "max_tokens": 5, "messages": [{"role": "user", "content": "hi"}]}
    made = claude.messages.batches.create(requests=[{"custom_id": "a", "params": params}])
    assert made.id == "msgbatch_1"
    seen = provider.last
    assert seen.json == {"requests": [{"custom_id": "a", "params": params}]}
    assert (seen.headers["x-api-key"], seen.headers["anthropic-version"]) == ("claude-key", "2026-10-21"), (
        "the client's own"
    )
    assert "authorization" not in seen.headers
    provider.routes["POST /v1/messages/batches/msgbatch_1/cancel"] = answer_json(
        {**BATCH, "processing_status": "canceling"}
    )
    assert claude.messages.batches.cancel("msgbatch_1").processing_status == "canceling"
    provider.routes["GET /v1/messages/batches"] = answer_json(
        {"data": [BATCH], "has_more": False, "first_id": "msgbatch_1", "last_id": "msgbatch_1"}
    )
    assert [each.id for each in claude.messages.batches.list(limit=5)] == ["msgbatch_1"]
    assert provider.last.target == "/v1/messages/batches?limit=5"


def test_the_results_of_a_batch_are_passed_on(provider, client: openai.OpenAI):
    lines = b'{"custom_id":"a","result":{"type":"canceled"}}\n' * 50
    provider.routes["GET /v1/messages/batches/msgbatch_1/results"] = answer_bytes(lines, "application/x-jsonl")
    got = client.get(
        "/messages/batches/msgbatch_1/results", cast_to=httpx.Response, options={"params": {"provider": "claude"}}
    )
    assert got.content == lines
    assert provider.last.headers["anthropic-version"] == "2023-06-01", "the default version"


def test_files_go_to_the_provider_of_the_client_s_wire(provider, claude: anthropic.Anthropic, client: openai.OpenAI):
    provider.routes["POST /v1/files"] = answer_json(FILE)
    claude.beta.files.upload(file=("a.txt", b"abc", "text/plain"), betas=["files-api-2025-04-14"])
    seen = provider.last
    assert (seen.target.partition("?")[0], seen.headers["x-api-key"]) == ("/v1/files", "claude-key")
    assert "files-api-2025-04-14" in seen.headers["anthropic-beta"]
    assert b"\r\n\r\nabc\r\n" in seen.body
    provider.routes["GET /v1/files"] = answer_json({"object": "list", "data": [], "has_more": False})
    client.files.list()
    assert provider.last.headers["authorization"] == "Bearer oai-key"
    client.files.list(extra_query={"provider": "claude"}, extra_headers={"anthropic-beta": "b"})
    assert provider.last.headers["x-api-key"] == "claude-key"
    assert "anthropic-beta" not in provider.last.headers, "a header of another wire was passed on"


def test_headers_of_a_wire_are_not_sent_on_another(provider, claude: anthropic.Anthropic):
    provider.routes["GET /v1/files"] = answer_json({"data": [], "has_more": False, "first_id": None, "last_id": None})
    claude.beta.files.list(extra_query={"provider": "oai"})
    assert provider.last.headers["authorization"] == "Bearer oai-key"
    assert not [name for name in provider.last.headers if name.startswith("anthropic")]


def test_errors_have_the_caller_s_shape(provider, claude: anthropic.Anthropic, client: openai.OpenAI):
    with pytest.raises(anthropic.BadRequestError) as caught:
        claude.beta.files.list(extra_query={"provider": "nobody"})
    assert caught.value.body["error"]["type"] == "invalid_request_error"
    with pytest.raises(openai.BadRequestError, match="plain") as refused:
        client.batches.list(extra_query={"provider": "plain"})
    assert refused.value.param == "provider"
    assert provider.seen == []
