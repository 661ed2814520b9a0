"""One rich answer of every wire, whole and as a stream, written by hand from its public reference.

The answers mean the same, as far as each wire can express it.
"""

import json
from typing import Any

from antiphon.wires.aws.eventstream import encode_headers, encode_message
from system.pairs.caller_requests import ARGUMENTS, TEXT

_CALLS = [
    {"id": "call_3", "type": "function", "function": {"name": "get_weather", "arguments": TEXT}},
    {"id": "call_4", "type": "function", "function": {"name": "now", "arguments": "{}"}},
]
_OPENAI_USAGE: dict[str, Any] = {
    "prompt_tokens": 100,
    "completion_tokens": 50,
    "total_tokens": 150,
    "prompt_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 10},
    "completion_tokens_details": {"reasoning_tokens": 20},
}
_RESPONSES_USAGE = {
    "input_tokens": 100,
    "input_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 10},
    "output_tokens": 50,
    "output_tokens_details": {"reasoning_tokens": 20},
    "total_tokens": 150,
}
_MESSAGES_USAGE = {
    "input_tokens": 30,
    "cache_creation_input_tokens": 10,
    "cache_read_input_tokens": 60,
    "output_tokens": 50,
    "output_tokens_details": {"thinking_tokens": 20},
}
_GENERATE_USAGE = {
    "promptTokenCount": 100,
    "cachedContentTokenCount": 60,
    "candidatesTokenCount": 30,
    "thoughtsTokenCount": 20,
    "totalTokenCount": 150,
}
_CONVERSE_USAGE = {
    "inputTokens": 30,
    "cacheReadInputTokens": 60,
    "cacheWriteInputTokens": 10,
    "outputTokens": 50,
    "totalTokens": 150,
}
_OUTPUT: list[dict[str, Any]] = [
    {
        "type": "reasoning",
        "id": "rs_2",
        "summary": [{"type": "summary_text", "text": "Hm."}],
        "encrypted_content": "c2VhbA==",
    },
    {
        "type": "message",
        "id": "msg_2",
        "role": "assistant",
        "status": "completed",
        "content": [{"type": "output_text", "text": "Grüße", "annotations": [], "logprobs": []}],
    },
    {
        "type": "function_call",
        "id": "fc_3",
        "call_id": "call_3",
        "name": "get_weather",
        "arguments": TEXT,
        "status": "completed",
    },
    {
        "type": "function_call",
        "id": "fc_4",
        "call_id": "call_4",
        "name": "now",
        "arguments": "{}",
        "status": "completed",
    },
]
_RESPONSE: dict[str, Any] = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1700000000,
    "status": "completed",
    "error": None,
    "incomplete_details": None,
    "model": "far-model",
    "output": _OUTPUT,
    "usage": _RESPONSES_USAGE,
}

REPLIES: dict[str, dict[str, Any]] = {
    "chat": {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1700000000,
        "model": "far-model",
        "choices": [
            {
                "index": 0,
                "message": {
                    "role": "assistant",
                    "content": "Grüße",
                    "reasoning_content": "Hm.",
                    "refusal": None,
                    "tool_calls": _CALLS,
                },
                "logprobs": None,
                "finish_reason": "tool_calls",
            }
        ],
        "usage": _OPENAI_USAGE,
    },
    "responses": _RESPONSE,
    "messages": {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "far-model",
        "content": [
            {"type": "thinking", "thinking": "Hm.", "signature": "c2VhbA=="},
            {"type": "text", "text": "Grüße"},
            {"type": "tool_use", "id": "call_3", "name": "get_weather", "input": ARGUMENTS},
            {"type": "tool_use", "id": "call_4", "name": "now", "input": {}},
        ],
        "stop_reason": "tool_use",
        "stop_sequence": None,
        "usage": _MESSAGES_USAGE,
    },
    "generate": {
        "candidates": [
            {
                "content": {
                    "role": "model",
                    "parts": [
                        {"text": "Hm.", "thought": True},
                        {"text": "Grüße"},
                        {
                            "functionCall": {"id": "call_3", "name": "get_weather", "args": ARGUMENTS},
                            "thoughtSignature": "c2VhbA==",
                        },
                        {"functionCall": {"id": "call_4", "name": "now", "args": {}}},
                    ],
                },
                "finishReason": "STOP",
                "index": 0,
            }
        ],
        "usageMetadata": _GENERATE_USAGE,
        "modelVersion": "far-model",
        "responseId": "r-1",
    },
    "converse": {
        "output": {
            "message": {
                "role": "assistant",
                "content": [
                    {"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "c2VhbA=="}}},
                    {"text": "Grüße"},
                    {"toolUse": {"toolUseId": "call_3", "name": "get_weather", "input": ARGUMENTS}},
                    {"toolUse": {"toolUseId": "call_4", "name": "now", "input": {}}},
                ],
            }
        },
        "stopReason": "tool_use",
        "usage": _CONVERSE_USAGE,
        "metrics": {"latencyMs": 1},
    },
}
"""Operation to a provider's whole answer."""


def _make_chunk(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1700000000, "model": "far-model"}
    return {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def _make_call_delta(index: int, **function: str) -> dict[str, Any]:
    return {"tool_calls": [{"index": index, "function": function}]}


_CHAT = [
    _make_chunk({"role": "assistant", "content": ""}),
    _make_chunk({"reasoning_content": "H"}),
    _make_chunk({"reasoning_content": "m."}),
    _make_chunk({"content": "Grü"}),
    _make_chunk({"content": "ße"}),
    _make_chunk(
        {"tool_calls": [{"index": 0, "id": "call_3", "type": "function", "function": {"name": "get_weather"}}]}
    ),
    _make_chunk(_make_call_delta(0, arguments=TEXT[:9])),
    _make_chunk(_make_call_delta(0, arguments=TEXT[9:])),
    _make_chunk(
        {
            "tool_calls": [
                {"index": 1, "id": "call_4", "type": "function", "function": {"name": "now", "arguments": "{}"}}
            ]
        }
    ),
    _make_chunk({}, "tool_calls"),
    {**_make_chunk({}), "choices": [], "usage": _OPENAI_USAGE},
]


def _make_item(number: int, **empty: Any) -> dict[str, Any]:
    return {**_OUTPUT[number], **empty}


_DONE = {"status": "completed"}
_TEXT_AT: dict[str, Any] = {"item_id": "msg_2", "output_index": 1, "content_index": 0}
_PART = {"type": "output_text", "text": "Grüße", "annotations": [], "logprobs": []}
_RESPONSES: list[dict[str, Any]] = [
    {"type": "response.created", "response": {**_RESPONSE, "status": "in_progress", "output": [], "usage": None}},
    {"type": "response.in_progress", "response": {**_RESPONSE, "status": "in_progress", "output": [], "usage": None}},
    {"type": "response.output_item.added", "output_index": 0, "item": _make_item(0, summary=[], encrypted_content="")},
    {
        "type": "response.reasoning_summary_part.added",
        "item_id": "rs_2",
        "output_index": 0,
        "summary_index": 0,
        "part": {"type": "summary_text", "text": ""},
    },
    {
        "type": "response.reasoning_summary_text.delta",
        "item_id": "rs_2",
        "output_index": 0,
        "summary_index": 0,
        "delta": "Hm.",
    },
    {
        "type": "response.reasoning_summary_text.done",
        "item_id": "rs_2",
        "output_index": 0,
        "summary_index": 0,
        "text": "Hm.",
    },
    {
        "type": "response.reasoning_summary_part.done",
        "item_id": "rs_2",
        "output_index": 0,
        "summary_index": 0,
        "part": {"type": "summary_text", "text": "Hm."},
    },
    {"type": "response.output_item.done", "output_index": 0, "item": _make_item(0)},
    {"type": "response.output_item.added", "output_index": 1, "item": _make_item(1, content=[], status="in_progress")},
    {"type": "response.content_part.added", **_TEXT_AT, "part": {**_PART, "text": ""}},
    {"type": "response.output_text.delta", **_TEXT_AT, "delta": "Grü", "logprobs": []},
    {"type": "response.output_text.delta", **_TEXT_AT, "delta": "ße", "logprobs": []},
    {"type": "response.output_text.done", **_TEXT_AT, "text": "Grüße", "logprobs": []},
    {"type": "response.content_part.done", **_TEXT_AT, "part": _PART},
    {"type": "response.output_item.done", "output_index": 1, "item": _make_item(1)},
    {
        "type": "response.output_item.added",
        "output_index": 2,
        "item": _make_item(2, arguments="", status="in_progress"),
    },
    {
        "type": "response.function_call_arguments.delta",
        "item_id": "fc_3",
        "output_index": 2,
        "delta": TEXT[:9],
    },
    {
        "type": "response.function_call_arguments.delta",
        "item_id": "fc_3",
        "output_index": 2,
        "delta": TEXT[9:],
    },
    {
        "type": "response.function_call_arguments.done",
        "item_id": "fc_3",
        "output_index": 2,
        "arguments": TEXT,
        "name": "get_weather",
    },
    {"type": "response.output_item.done", "output_index": 2, "item": _make_item(2)},
    {
        "type": "response.output_item.added",
        "output_index": 3,
        "item": _make_item(3, arguments="", status="in_progress"),
    },
    {
        "type": "response.function_call_arguments.done",
        "item_id": "fc_4",
        "output_index": 3,
        "arguments": "{}",
        "name": "now",
    },
    {"type": "response.output_item.done", "output_index": 3, "item": _make_item(3)},
    {"type": "response.completed", "response": _RESPONSE},
]


def _make_delta(index: int, kind: str, **fields: str) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": {"type": kind, **fields}}


def _make_block_start(index: int, **block: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": block}


def _make_block_stop(index: int) -> dict[str, Any]:
    return {"type": "content_block_stop", "index": index}


_MESSAGES: list[dict[str, Any]] = [
    {
        "type": "message_start",
        "message": {
            **REPLIES["messages"],
            "content": [],
            "stop_reason": None,
            "usage": {**_MESSAGES_USAGE, "output_tokens": 1, "output_tokens_details": None},
        },
    },
    _make_block_start(0, type="thinking", thinking="", signature=""),
    {"type": "ping"},
    _make_delta(0, "thinking_delta", thinking="Hm."),
    _make_delta(0, "signature_delta", signature="c2VhbA=="),
    _make_block_stop(0),
    _make_block_start(1, type="text", text=""),
    _make_delta(1, "text_delta", text="Grü"),
    _make_delta(1, "text_delta", text="ße"),
    _make_block_stop(1),
    _make_block_start(2, type="tool_use", id="call_3", name="get_weather", input={}),
    _make_delta(2, "input_json_delta", partial_json=""),
    _make_delta(2, "input_json_delta", partial_json=TEXT[:9]),
    _make_delta(2, "input_json_delta", partial_json=TEXT[9:]),
    _make_block_stop(2),
    _make_block_start(3, type="tool_use", id="call_4", name="now", input={}),
    _make_delta(3, "input_json_delta", partial_json=""),
    _make_block_stop(3),
    {"type": "message_delta", "delta": {"stop_reason": "tool_use", "stop_sequence": None}, "usage": _MESSAGES_USAGE},
    {"type": "message_stop"},
]


def _make_candidate(*parts: dict[str, Any], **more: Any) -> dict[str, Any]:
    content = {"role": "model", "parts": list(parts)}
    head = {"modelVersion": "far-model", "responseId": "r-1"}
    return {**head, "candidates": [{"content": content, "index": 0, **more}]}


_GENERATE: list[dict[str, Any]] = [
    _make_candidate({"text": "Hm.", "thought": True}),
    _make_candidate({"text": "Grü"}),
    _make_candidate({"text": "ße"}),
    _make_candidate(*REPLIES["generate"]["candidates"][0]["content"]["parts"][2:]),
    _make_candidate(finishReason="STOP") | {"usageMetadata": _GENERATE_USAGE},
]
_NAMED = {"toolUseId": "call_3", "name": "get_weather"}
_CONVERSE: list[tuple[str, dict[str, Any]]] = [
    ("messageStart", {"role": "assistant"}),
    ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"reasoningContent": {"text": "Hm."}}}),
    ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"reasoningContent": {"signature": "c2VhbA=="}}}),
    ("contentBlockStop", {"contentBlockIndex": 0}),
    ("contentBlockDelta", {"contentBlockIndex": 1, "delta": {"text": "Grü"}}),
    ("contentBlockDelta", {"contentBlockIndex": 1, "delta": {"text": "ße"}}),
    ("contentBlockStop", {"contentBlockIndex": 1}),
    ("contentBlockStart", {"contentBlockIndex": 2, "start": {"toolUse": _NAMED}}),
    ("contentBlockDelta", {"contentBlockIndex": 2, "delta": {"toolUse": {"input": TEXT[:9]}}}),
    ("contentBlockDelta", {"contentBlockIndex": 2, "delta": {"toolUse": {"input": TEXT[9:]}}}),
    ("contentBlockStop", {"contentBlockIndex": 2}),
    ("contentBlockStart", {"contentBlockIndex": 3, "start": {"toolUse": {"toolUseId": "call_4", "name": "now"}}}),
    ("contentBlockDelta", {"contentBlockIndex": 3, "delta": {"toolUse": {"input": ""}}}),
    ("contentBlockStop", {"contentBlockIndex": 3}),
    ("messageStop", {"stopReason": "tool_use"}),
    ("metadata", {"usage": _CONVERSE_USAGE, "metrics": {"latencyMs": 1}}),
]  # fmt: skip


def write_data_frame(value: Any) -> bytes:
    """Return a frame of server-sent events with data only."""
    return b"data: " + json.dumps(value, ensure_ascii=False).encode() + b"\n\n"


def write_named_frame(value: Any) -> bytes:
    """Return a frame of server-sent events with the event's name."""
    return f"event: {value.get('type')}\n".encode() + write_data_frame(value)


def write_aws_message(event: tuple[str, Any]) -> bytes:
    """Return a message of the AWS event stream."""
    kind, payload = event
    headers = [(":event-type", kind), (":content-type", "application/json"), (":message-type", "event")]
    return encode_message(encode_headers(headers), json.dumps(payload, ensure_ascii=False).encode())


EVENTS: dict[str, list[Any]] = {
    "chat": _CHAT,
    "responses": [{**event, "sequence_number": number} for number, event in enumerate(_RESPONSES)],
    "messages": _MESSAGES,
    "generate": _GENERATE,
    "converse": _CONVERSE,
}
"""Operation to the events of the same answer as a stream, as values."""
FRAME_WRITERS: dict[str, Any] = {
    "chat": write_data_frame,
    "responses": write_named_frame,
    "messages": write_named_frame,
    "generate": write_data_frame,
    "converse": write_aws_message,
}
"""Operation to the function that writes an event as a frame."""
STREAMS: dict[str, bytes] = {
    operation: b"".join(map(FRAME_WRITERS[operation], events)) + (b"data: [DONE]\n\n" if operation == "chat" else b"")
    for operation, events in EVENTS.items()
}
"""Operation to the same answer as a stream, as bytes."""
