"""A provider receives what its row says: chat calls to accounts of other wires, over a socket."""

import asyncio
import json
from typing import Any

import pytest

from antiphon.errors import CallError
from antiphon.runtime import Runtime
from antiphon.types import Caller

REFUSAL = b'{"message": "no", "error": {"message": "no"}}'
ANSWER = b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s"

# kind -> (the account without its address, model, request line, headers, members of the body)
ACCOUNTS: dict[str, tuple[str, str, str, dict[str, str], dict[str, Any]]] = {
    "bedrock": (
        "access_key: AKID, secret_key: secret, session_token: session, region: eu-west-1",
        "amazon.nova-lite-v1:0",
        "POST /model/amazon.nova-lite-v1%3A0/converse-stream HTTP/1.1",
        {"x-amz-security-token": "session"},
        {"inferenceConfig": {"maxTokens": 5}},
    ),
    "vertex": (
        "api_key: token, project: my project, region: eu",
        "gemini-2.5-flash",
        "POST /v1/projects/my%20project/locations/eu/publishers/google/models/gemini-2.5-flash"
        ":streamGenerateContent?alt=sse HTTP/1.1",
        {"authorization": "Bearer token"},
        {"generationConfig": {"maxOutputTokens": 5}},
    ),
    "vertex-anthropic": (
        "api_key: token, project: p",
        "claude-opus-5-5",
        "POST /v1/projects/p/locations/global/publishers/anthropic/models/claude-opus-5-5:streamRawPredict HTTP/1.1",
        {"authorization": "Bearer token"},
        {"stream": True, "max_tokens": 5, "anthropic_version": "vertex-2023-10-16"},
    ),
    "azure-anthropic": (
        "api_key: key",
        "claude-sonnet-5-5",
        "POST /anthropic/v1/messages HTTP/1.1",
        {"x-api-key": "key", "anthropic-version": "2023-06-01"},
        {"model": "claude-sonnet-5-5", "max_tokens": 5},
    ),
    "perplexity": (
        "api_key: key",
        "perplexity/sonar",
        "POST /v1/responses HTTP/1.1",
        {"authorization": "Bearer key"},
        {"model": "perplexity/sonar", "max_output_tokens": 5},
    ),
}


@pytest.mark.parametrize("kind", ACCOUNTS)
async def test_a_chat_call_matches_the_row(files: Any, kind: str):
    account, model, line, headers, members = ACCOUNTS[kind]
    received: list[tuple[str, dict[str, str], dict[str, Any]]] = []

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first, *rest = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
        received_headers = dict(line.split(": ", 1) for line in rest)
        received.append(
            (first, received_headers, json.loads(await reader.readexactly(int(received_headers["content-length"]))))
        )
        writer.write(ANSWER % (len(REFUSAL), REFUSAL))
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    runtime = Runtime(files.load(f"providers: {{{kind}: {{base_url: '{address}', {account}}}}}", {}))
    body = {"model": f"{kind}/{model}", "stream": True, "max_tokens": 5}
    body["messages"] = [{"role": "user", "content": "Hello"}]
    try:
        await runtime.start()
        with pytest.raises(CallError, match="400"):
            await runtime.ask("chat", json.dumps(body).encode(), Caller("key"))
    finally:
        await runtime.close()
        server.close()
        await server.wait_closed()
    ((first, received_headers, sent),) = received
    assert first == line
    assert {name: received_headers.get(name) for name in headers} == headers
    assert {name: sent.get(name) for name in members} == members
    assert received_headers.get("authorization", "").startswith("AWS4-HMAC-SHA256 Credential=AKID/") == (
        "access_key" in account
    )
