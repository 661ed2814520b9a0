"""Responses streams that break, if caller and provider both speak that wire: the errors that official clients raise."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import openai
import pytest

from processes import PATIENCE, Gateway, wait_until

BEGUN = {"id": "resp_1", "object": "response", "created_at": 1, "status": "in_progress", "model": "m", "output": []}
PLACE = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
ITEM = {"type": "message", "id": "msg_1", "role": "assistant", "status": "in_progress", "content": []}
PROBLEM = {"type": "server_error", "code": "server_error", "message": "no luck", "param": None}
ENDINGS: dict[str, list[dict[str, Any]]] = {
    "cut": [],
    "failed": [{"type": "response.failed", "response": {**BEGUN, "status": "failed", "error": PROBLEM}}],
    "flat": [{"type": "error", **PROBLEM} | {"type": "error"}],
    "nested": [{"type": "error", "error": PROBLEM}],
    "both": [
        {"type": "error", "error": PROBLEM},
        {"type": "response.failed", "response": {**BEGUN, "status": "failed", "error": PROBLEM}},
    ],
}


GO = threading.Semaphore(0)
"""One for each caller that has seen the first words: before them, a failure does not break a stream."""


def stream_of(ending: str) -> list[bytes]:
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": BEGUN},
        {"type": "response.output_item.added", "output_index": 0, "item": ITEM},
        {
            "type": "response.content_part.added",
            **PLACE,
            "part": {"type": "output_text", "text": "", "annotations": []},
        },
        {"type": "response.output_text.delta", **PLACE, "delta": "Hel", "logprobs": []},
        *ENDINGS[ending],
    ]
    return [
        b"event: %b\ndata: %b\n\n" % (event["type"].encode(), json.dumps({**event, "sequence_number": n}).encode())
        for n, event in enumerate(events)
    ]


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        frames = stream_of(body["model"])
        self.wfile.write(b"".join(frames[:4]))
        assert GO.acquire(timeout=PATIENCE)
        self.wfile.write(b"".join(frames[4:]))

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing."""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    running = Gateway(
        tmp_path_factory.mktemp("breaks"), {"providers": {"own": {"kind": "responses-compatible", "base_url": url}}}
    )
    yield running
    assert running.stop() == 0
    assert "Traceback" not in running.output, running.output
    server.shutdown()
    server.server_close()


def read(stream: Any) -> list[Any]:
    """Return all events of a stream that breaks after its first words."""
    seen = []
    for event in stream:
        seen.append(event)
        if event.type == "response.output_text.delta":
            GO.release()
    return seen


@pytest.mark.parametrize("ending", ENDINGS)
async def test_a_broken_stream_raises_and_ends_with_the_failed_response(gateway: Gateway, ending: str) -> None:
    words = "cut short" if ending == "cut" else "no luck"
    fields: dict[str, Any] = {"model": f"own/{ending}", "input": "Hi"}
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.key, max_retries=0, timeout=20) as client:
        with pytest.raises(openai.APIError, match=words):
            read(client.responses.create(**fields, stream=True))
        with pytest.raises(openai.APIError, match=words), client.responses.stream(**fields) as helped:
            read(helped)
        lines = []
        with client.responses.with_streaming_response.create(**fields, stream=True) as raw:
            for line in raw.iter_lines():
                lines.append(line)
                if line.startswith("event: response.output_text.delta"):
                    GO.release()
            call = raw.headers["x-antiphon-call-id"]
    told = "\n".join(lines) + "\n"
    assert told.encode().startswith(b"".join(stream_of("cut")))  # what came before is the provider's own
    events = [json.loads(line[6:]) for line in lines if line.startswith("data: ")]
    assert [event["type"] for event in events[-2:]] == ["error", "response.failed"]
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    failed = events[-1]["response"]
    assert (failed["id"], failed["status"], failed["error"]["code"]) == ("resp_1", "failed", "server_error")
    assert words in failed["error"]["message"]
    await wait_until(lambda: [row for row in gateway.list_records() if row["id"] == call])
    (record,) = [row for row in gateway.list_records() if row["id"] == call]
    assert record["outcome"] == "partial"
