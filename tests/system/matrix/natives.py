"""Answers of providers of each wire, written by hand from their references, and a provider that gives them.

The simulator writes its answers with the gateway's own codecs; these prove those codecs. The model's name is the case.
"""

import base64
import http.server
import json
import threading
from collections.abc import Callable
from typing import Any

from antiphon.wires.aws.eventstream import encode_headers, encode_message
from system.matrix.questions import PIXEL, QUOTE, SOUND, TITLE, WEB

SAMPLES = base64.b64encode(b"\1\2\3\4\5\6\7\10\11").decode()
"""Streamed sound has no file header. It is split where the base64 of the pieces differs from that of the whole."""
CUT = (base64.b64encode(b"\1\2\3\4").decode(), base64.b64encode(b"\5\6\7\10\11").decode())
DATA = "data:image/png;base64," + PIXEL
TEXT = "Grüße aus Zürich."
"""The cited text; the citation covers all of it."""
END = len(TEXT)
END_BYTES = len(TEXT.encode())


def _make_chat(message: dict[str, Any], *deltas: dict[str, Any]) -> tuple[Any, list[Any]]:
    head: dict[str, Any] = {"id": "chatcmpl-n", "created": 1, "model": "m"}
    usage: dict[str, Any] = {"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8}
    usage["prompt_tokens_details"] = {"cached_tokens": 0, "cache_write_tokens": 0}
    usage["completion_tokens_details"] = {"reasoning_tokens": 0}
    choice = {"index": 0, "message": {"role": "assistant"} | message, "finish_reason": "stop"}
    chunks: list[Any] = [{"delta": delta, "finish_reason": None} for delta in ({"role": "assistant"}, *deltas)]
    chunks.append({"delta": {}, "finish_reason": "stop"})
    events = [head | {"object": "chat.completion.chunk", "choices": [{"index": 0} | chunk]} for chunk in chunks]
    last = head | {"object": "chat.completion.chunk", "choices": [], "usage": usage}
    return head | {"object": "chat.completion", "choices": [choice], "usage": usage}, [*events, last]


def _make_responses(
    *items: dict[str, Any], deltas: dict[int, list[dict[str, Any]]] | None = None
) -> tuple[Any, list[Any]]:
    usage: dict[str, Any] = {"input_tokens": 3, "output_tokens": 5, "total_tokens": 8}
    usage["input_tokens_details"] = {"cached_tokens": 0, "cache_write_tokens": 0}
    usage["output_tokens_details"] = {"reasoning_tokens": 0}
    whole: dict[str, Any] = {"id": "resp_n", "object": "response", "created_at": 1, "model": "m", "status": "completed"}
    whole |= {"output": list(items), "usage": usage, "error": None}
    begun = whole | {"status": "in_progress", "output": [], "usage": None}
    events: list[Any] = [{"type": "response.created", "response": begun}]
    for index, item in enumerate(items):
        place = {"output_index": index, "item_id": item["id"]}
        shown = item | {"status": "in_progress"} | ({"content": []} if "content" in item else {"result": None})
        events.append({"type": "response.output_item.added", "output_index": index, "item": shown})
        events += [place | event for event in (deltas or {}).get(index, ())]
        events.append({"type": "response.output_item.done", "output_index": index, "item": item})
    events.append({"type": "response.completed", "response": whole})
    return whole, [{"sequence_number": number} | event for number, event in enumerate(events)]


def _make_message(number: int, text: str, *annotations: dict[str, Any]) -> dict[str, Any]:
    part = {"type": "output_text", "text": text, "annotations": list(annotations)}
    return {"id": f"msg_{number}", "type": "message", "role": "assistant", "status": "completed", "content": [part]}


def _make_message_events(text: str, *annotations: dict[str, Any]) -> list[dict[str, Any]]:
    place = {"content_index": 0}
    part = {"type": "output_text", "text": "", "annotations": []}
    added = [
        {"type": "response.output_text.annotation.added", "annotation_index": at, "annotation": each} | place
        for at, each in enumerate(annotations)
    ]
    return [
        {"type": "response.content_part.added", "part": part} | place,
        {"type": "response.output_text.delta", "delta": text} | place,
        *added,
        {"type": "response.output_text.done", "text": text} | place,
    ]


def _make_messages(citation: dict[str, Any]) -> tuple[Any, list[Any]]:
    usage = {"input_tokens": 3, "output_tokens": 5, "cache_read_input_tokens": 0, "cache_creation_input_tokens": 0}
    head = {"id": "msg_n", "type": "message", "role": "assistant", "model": "m", "stop_sequence": None}
    block = {"type": "text", "text": TEXT, "citations": [citation]}
    whole = head | {"content": [block], "stop_reason": "end_turn", "usage": usage}
    events: list[Any] = [
        {"type": "message_start", "message": head | {"content": [], "stop_reason": None, "usage": usage}},
        {"type": "content_block_start", "index": 0, "content_block": block | {"text": "", "citations": []}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "citations_delta", "citation": citation}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": TEXT[:5]}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": TEXT[5:]}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": usage},
        {"type": "message_stop"},
    ]
    return whole, events


def _make_generate(*chunks: list[dict[str, Any]], **more: Any) -> tuple[Any, list[Any]]:
    rest: dict[str, Any] = {"modelVersion": "m", "responseId": "n"}
    usage = {"promptTokenCount": 3, "candidatesTokenCount": 5, "totalTokenCount": 8}
    parts = [part for chunk in chunks for part in chunk]
    end: dict[str, Any] = {"finishReason": "STOP", "index": 0} | more
    whole = {"candidates": [{"content": {"role": "model", "parts": parts}} | end], "usageMetadata": usage} | rest
    events: list[Any] = [
        {"candidates": [{"content": {"role": "model", "parts": chunk}, "index": 0}]} | rest for chunk in chunks
    ]
    events[-1]["candidates"][0] |= end
    events[-1]["usageMetadata"] = usage
    return whole, events


def _make_converse(*blocks: dict[str, Any], events: list[tuple[str, Any]]) -> tuple[Any, list[Any]]:
    usage = {"inputTokens": 3, "outputTokens": 5, "totalTokens": 8}
    whole: dict[str, Any] = {"output": {"message": {"role": "assistant", "content": list(blocks)}}}
    whole |= {"stopReason": "end_turn", "usage": usage, "metrics": {"latencyMs": 1}}
    if not events:
        return whole, []
    begun: tuple[str, Any] = ("messageStart", {"role": "assistant"})
    ended = [("messageStop", {"stopReason": "end_turn"}), ("metadata", {"usage": usage, "metrics": {"latencyMs": 1}})]
    return whole, [begun, *events, *ended]


def _make_block_events(
    index: int, *deltas: dict[str, Any], start: dict[str, Any] | None = None
) -> list[tuple[str, Any]]:
    place = {"contentBlockIndex": index}
    opened = [("contentBlockStart", place | {"start": start})] if start else []
    return [*opened, *(("contentBlockDelta", place | {"delta": each}) for each in deltas), ("contentBlockStop", place)]


_IMAGE_URL = {"type": "image_url", "image_url": {"url": DATA}}
_CHAT_PAGE = {
    "type": "url_citation",
    "url_citation": {"url": WEB, "title": TITLE, "start_index": 0, "end_index": END},
}
_PAGE = {"type": "url_citation", "url": WEB, "title": TITLE, "start_index": 0, "end_index": END}
_FILE = {"type": "file_citation", "file_id": "file-1", "filename": TITLE, "index": END}
_CALL = {"id": "ig_1", "type": "image_generation_call", "status": "completed", "result": PIXEL, "output_format": "png"}
_STEPS = [{"type": f"response.image_generation_call.{step}"} for step in ("in_progress", "generating", "completed")]
_LOOK, _DONE = "Look:", "Done."
_SEGMENT = {"startIndex": 0, "endIndex": END_BYTES, "text": TEXT}
_SUPPORTS = [{"segment": _SEGMENT, "groundingChunkIndices": [0]}]
_IMAGE = {"format": "png", "source": {"bytes": PIXEL}}
_SOUND = {"id": "audio_1", "expires_at": 9, "transcript": "Grüezi"}
_CITED = {"title": TITLE, "sourceContent": [{"text": QUOTE}]}
_ON_PAGE = _CITED | {"location": {"web": {"url": WEB, "domain": "example.com"}}}
_IN_FILE = _CITED | {"location": {"documentChar": {"documentIndex": 0, "start": 2, "end": 9}}}


def _make_cited(citation: dict[str, Any]) -> tuple[Any, list[Any]]:
    block = {"citationsContent": {"content": [{"text": TEXT}], "citations": [citation]}}
    delta = citation | {"sourceContent": [{"text": QUOTE}]}
    return _make_converse(block, events=_make_block_events(0, {"text": TEXT}, {"citation": delta}))


ANSWERS: dict[str, dict[str, tuple[Any, list[Any]]]] = {
    "picture": {
        "chat": _make_chat(
            {"content": _LOOK + _DONE, "images": [_IMAGE_URL]},
            {"content": _LOOK}, {"content": "", "images": [_IMAGE_URL]}, {"content": _DONE},
        ),
        "responses": _make_responses(
            _make_message(0, _LOOK), _CALL, _make_message(2, _DONE),
            deltas={0: _make_message_events(_LOOK), 1: _STEPS, 2: _make_message_events(_DONE)},
        ),
        "generate": _make_generate(
            [{"text": _LOOK}], [{"inlineData": {"mimeType": "image/png", "data": PIXEL}}], [{"text": _DONE}]
        ),
        "converse": _make_converse(
            {"text": _LOOK}, {"image": _IMAGE}, {"text": _DONE},
            events=[
                *_make_block_events(0, {"text": _LOOK}),
                *_make_block_events(1, {"image": {"source": {"bytes": PIXEL}}}, start={"image": {"format": "png"}}),
                *_make_block_events(2, {"text": _DONE}),
            ],
        ),
    },
    "sound": {
        "chat": _make_chat(
            {"content": None, "audio": _SOUND | {"data": SOUND}},
            {"audio": {"id": "audio_1", "transcript": "Grü"}},
            {"audio": {"data": CUT[0]}},
            {"audio": {"data": CUT[1], "transcript": "ezi"}},
            {"audio": {"expires_at": 9}},
        ),
        "generate": _make_generate(
            *([{"inlineData": {"mimeType": "audio/L16;codec=pcm;rate=24000", "data": piece}}] for piece in CUT)
        ),
        "converse": _make_converse({"audio": {"format": "wav", "source": {"bytes": SOUND}}}, events=[]),
    },
    "page": {
        "chat": _make_chat(
            {"content": TEXT, "annotations": [_CHAT_PAGE]}, {"content": TEXT}, {"annotations": [_CHAT_PAGE]}
        ),
        "responses": _make_responses(_make_message(0, TEXT, _PAGE), deltas={0: _make_message_events(TEXT, _PAGE)}),
        "messages": _make_messages({
            "type": "web_search_result_location", "url": WEB, "title": TITLE, "cited_text": QUOTE,
            "encrypted_index": "Eo8B",
        }),
        "generate": _make_generate(
            [{"text": TEXT[:6]}], [{"text": TEXT[6:]}],
            groundingMetadata={
                "groundingChunks": [{"web": {"uri": WEB, "title": TITLE}}], "groundingSupports": _SUPPORTS
            },
        ),
        "converse": _make_cited(_ON_PAGE),
    },
    "place": {
        "responses": _make_responses(_make_message(0, TEXT, _FILE), deltas={0: _make_message_events(TEXT, _FILE)}),
        "messages": _make_messages({
            "type": "char_location", "cited_text": QUOTE, "document_index": 0, "document_title": TITLE,
            "start_char_index": 2, "end_char_index": 9, "file_id": None,
        }),
        "generate": _make_generate(
            [{"text": TEXT[:6]}], [{"text": TEXT[6:]}],
            groundingMetadata={
                "groundingChunks": [{"retrievedContext": {"title": TITLE, "text": QUOTE}}],
                "groundingSupports": _SUPPORTS,
            },
        ),
        "converse": _make_cited(_IN_FILE),
    },
}  # fmt: skip
"""Case to wire to the whole answer and the events of its stream; Converse does not stream sound."""


def _write_named_frames(events: list[Any]) -> bytes:
    return b"".join(b"event: %b\ndata: %b\n\n" % (event["type"].encode(), _encode_json(event)) for event in events)


def _write_data_frames(events: list[Any]) -> bytes:
    return b"".join(b"data: %b\n\n" % _encode_json(event) for event in events)


def _write_aws_messages(events: list[Any]) -> bytes:
    return b"".join(
        encode_message(
            encode_headers([(":event-type", kind), (":content-type", "application/json"), (":message-type", "event")]),
            _encode_json(payload),
        )
        for kind, payload in events
    )


def _encode_json(value: Any) -> bytes:
    return json.dumps(value).encode()


_SSE = "text/event-stream"
_STREAMS: dict[str, tuple[str, Callable[[list[Any]], bytes]]] = {
    "chat": (_SSE, lambda events: _write_data_frames(events) + b"data: [DONE]\n\n"),
    "responses": (_SSE, _write_named_frames),
    "messages": (_SSE, _write_named_frames),
    "generate": (_SSE, _write_data_frames),
    "converse": ("application/vnd.amazon.eventstream", _write_aws_messages),
}
_PATHS = {"/v1/chat/completions": "chat", "/v1/responses": "responses", "/v1/messages": "messages"}


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        document = json.loads(body)
        operation, model, stream = _read_call(self.path, document)
        self.server.requests.append((operation, dict(self.headers.items()), document))  # type: ignore[attr-defined]
        answer = ANSWERS.get(model, ANSWERS["page"])[operation]
        kind, written = "application/json", _encode_json(answer[0])
        if stream:
            kind, write = _STREAMS[operation]
            written = write(answer[1])
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(written)))
        self.end_headers()
        self.wfile.write(written)

    def log_message(self, format: str, *args: Any) -> None:
        pass


def _read_call(path: str, document: Any) -> tuple[str, str, bool]:
    if path in _PATHS:
        return _PATHS[path], document["model"], bool(document.get("stream"))
    name, _, call = path.rpartition("/")[2].partition(":")
    if call:
        return "generate", name, call.startswith("stream")
    return "converse", path.split("/")[-2], path.endswith("-stream")


class NativeProvider:
    """A provider of every wire; ``requests`` has operation, headers and document of each request."""

    def __init__(self) -> None:
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self.requests: list[tuple[str, dict[str, str], Any]] = []
        self._server.requests = self.requests  # type: ignore[attr-defined]
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
