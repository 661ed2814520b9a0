"""Where both wires are the same the bytes are too: of the request but for the model's name, and of the answer."""

import json
from typing import Any

import httpx
import pytest

from system.matrix.asking import WIRES

# Order, spaces, escapes, numbers and fields that no codec writes; what a strict provider knows only.
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
def test_the_same_bytes(house: Any, wire: str, stream: bool) -> None:
    house.asked()
    body = BODIES[wire]
    if wire in IN_BODY:
        usage = b',"stream":true' + (b',"stream_options":{"include_usage":true}' if wire == "chat" else b"")
        body = (body % (usage if stream else b"")).replace(b"MODEL", f"{wire}/mirror".encode())
    headers = {"authorization": f"Bearer {house.gateway.key}", "content-type": "application/json"}
    headers |= {"anthropic-beta": "one-2026-01-01,two", "anthropic-version": "2023-06-01"}
    with httpx.Client(timeout=20) as client:
        answer = client.post(house.gateway.url + PATHS[wire][stream], content=body, headers=headers)
    (entry,) = house.asked()
    assert answer.status_code == 200
    assert entry["body"] == body.replace(f"{wire}/mirror".encode(), b"mirror")
    assert answer.content == entry["answer"]
    assert b"x_sim" in answer.content
    kept = entry["headers"].get("anthropic-beta")
    assert kept == ("one-2026-01-01,two" if wire == "messages" else None)


@pytest.mark.parametrize("wire", WIRES)
def test_the_same_error(house: Any, wire: str) -> None:
    house.asked()
    body = BODIES[wire]
    if wire in IN_BODY:
        body = (body % b"").replace(b"MODEL", f"{wire}/fault-429".encode())
    headers = {"authorization": f"Bearer {house.gateway.key}", "content-type": "application/json"}
    with httpx.Client(timeout=20) as client:
        path = PATHS[wire][0].replace("mirror", "fault-429")
        answer = client.post(house.gateway.url + path, content=body, headers=headers)
    (entry,) = house.asked()
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
    told, own = json.loads(answer.content), json.loads(entry["answer"])
    assert told.get("error", told)["message"] == own.get("error", own)["message"]
