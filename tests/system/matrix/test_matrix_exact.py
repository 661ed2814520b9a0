"""If both wires are the same, request (except for the model's name) and answer pass byte for byte."""

import json
from typing import Any

import httpx
import pytest

from system.matrix.questions import WIRES

# Order, spaces, escapes, numbers and fields that no codec writes.
BODIES = {
    "chat": b'{ "messages":[ {"content":"Gr\\u00fc\\u00dfe" , "role":"user", "x":1e2} ],"z":[-0.0],"model":"MODEL"%s}',
    "responses": b'{"input" : [{"content":"Gr\\u00fc\\u00dfe","role":"user"}], "zz": {"a":1.0e1}, "model" :"MODEL"%s }',
    "messages": b'{"max_tokens" :  50,"messages":[{"content":"Gr\\u00fc\\u00dfe\\/","role":"user"}],"model":"MODEL"%s}',
    "generate": b'{ "contents" :[{"parts":[{"text":"Gr\\u00fc\\u00dfe"}] , "role":"user"}],"generationConfig":{}}',
    "converse": b'{"messages":[{"role":"user","content":[ {"text":"Gr\\u00fc\\u00dfe"}]}],"zz":[1.50,1e2]}',
}
PATHS = {
    "chat": ("/v1/chat/completions",) * 2,
    "responses": ("/v1/responses",) * 2,
    "messages": ("/v1/messages",) * 2,
    "generate": (
        "/v1beta/models/generate%2Fmirror:generateContent",
        "/v1beta/models/generate%2Fmirror:streamGenerateContent?alt=sse",
    ),
    "converse": ("/model/converse%2Fmirror/converse", "/model/converse%2Fmirror/converse-stream"),
}
IN_BODY = ("chat", "responses", "messages")


@pytest.mark.parametrize("wire", WIRES)
def test_the_same_bytes(matrix: Any, wire: str, stream: bool) -> None:
    matrix.take_requests()
    body = BODIES[wire]
    if wire in IN_BODY:
        usage = b',"stream":true' + (b',"stream_options":{"include_usage":true}' if wire == "chat" else b"")
        body = (body % (usage if stream else b"")).replace(b"MODEL", f"{wire}/mirror".encode())
    headers = {"authorization": f"Bearer {matrix.gateway.key}", "content-type": "application/json"}
    headers |= {"anthropic-beta": "one-2026-01-01,two", "anthropic-version": "2023-06-01"}
    with httpx.Client(timeout=20) as client:
        answer = client.post(matrix.gateway.url + PATHS[wire][stream], content=body, headers=headers)
    (entry,) = matrix.take_requests()
    assert answer.status_code == 200
    assert entry["body"] == body.replace(f"{wire}/mirror".encode(), b"mirror")
    assert answer.content == entry["answer"]
    assert b"x_sim" in answer.content
    beta = entry["headers"].get("anthropic-beta")
    assert beta == ("one-2026-01-01,two" if wire == "messages" else None)


@pytest.mark.parametrize("wire", WIRES)
def test_the_same_error(matrix: Any, wire: str) -> None:
    matrix.take_requests()
    body = BODIES[wire]
    if wire in IN_BODY:
        body = (body % b"").replace(b"MODEL", f"{wire}/fault-429".encode())
    headers = {"authorization": f"Bearer {matrix.gateway.key}", "content-type": "application/json"}
    with httpx.Client(timeout=20) as client:
        path = PATHS[wire][0].replace("mirror", "fault-429")
        answer = client.post(matrix.gateway.url + path, content=body, headers=headers)
    (entry,) = matrix.take_requests()
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
    received, sent = json.loads(answer.content), json.loads(entry["answer"])
    assert received.get("error", received)["message"] == sent.get("error", sent)["message"]
