"""One rich conversation as a request of every wire, written by hand from its public reference.

The requests mean the same, as far as each wire can express it.
"""

import json
from typing import Any

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
PDF = "JVBERi0xLjQKJUVPRgo="
CITY: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string", "description": "Größe egal"}, "unit": {"type": "string", "enum": ["C"]}},
    "required": ["city"],
    "additionalProperties": False,
}
EMPTY: dict[str, Any] = {"type": "object", "properties": {}}
ARGUMENTS = {"city": 'Zürich "東京" 🌦'}
TEXT = json.dumps(ARGUMENTS, ensure_ascii=False)

REQUESTS: dict[str, dict[str, Any]] = {
    "chat": {
        "model": "m",
        "stream_options": {"include_usage": True},
        "messages": [
            {"role": "system", "content": "Be brief."},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "Weather?"},
                    {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}", "detail": "low"}},
                    {
                        "type": "file",
                        "file": {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{PDF}"},
                    },
                ],
            },
            {
                "role": "assistant",
                "content": "Let me look.",
                "reasoning_content": "I should look.",
                "tool_calls": [
                    {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": TEXT}},
                    {"id": "call_2", "type": "function", "function": {"name": "now", "arguments": "{}"}},
                ],
            },
            {"role": "tool", "tool_call_id": "call_1", "content": "18 °C"},
            {"role": "tool", "tool_call_id": "call_2", "content": [{"type": "text", "text": "noon"}]},
            {"role": "user", "content": "And?"},
        ],
        "tools": [
            {"type": "function", "function": {"name": "get_weather", "description": "Tell.", "parameters": CITY}},
            {"type": "function", "function": {"name": "now", "parameters": EMPTY}},
        ],
        "tool_choice": "auto",
        "parallel_tool_calls": True,
        "max_completion_tokens": 500,
        "temperature": 0.5,
        "top_p": 0.9,
        "stop": ["END"],
        "seed": 7,
        "user": "u-1",
        "metadata": {"team": "a"},
    },
    "responses": {
        "model": "m",
        "instructions": "Be brief.",
        "input": [
            {
                "type": "message",
                "role": "user",
                "content": [
                    {"type": "input_text", "text": "Weather?"},
                    {"type": "input_image", "image_url": f"data:image/png;base64,{PIXEL}", "detail": "low"},
                    {
                        "type": "input_file",
                        "filename": "a.pdf",
                        "file_data": f"data:application/pdf;base64,{PDF}",
                    },
                ],
            },
            {
                "type": "reasoning",
                "id": "rs_1",
                "summary": [{"type": "summary_text", "text": "I should look."}],
                "encrypted_content": "c2VhbGVk",
            },
            {
                "type": "message",
                "id": "msg_1",
                "role": "assistant",
                "status": "completed",
                "content": [{"type": "output_text", "text": "Let me look.", "annotations": []}],
            },
            {
                "type": "function_call",
                "id": "fc_1",
                "call_id": "call_1",
                "name": "get_weather",
                "arguments": TEXT,
                "status": "completed",
            },
            {"type": "function_call", "id": "fc_2", "call_id": "call_2", "name": "now", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "call_1", "output": "18 °C"},
            {
                "type": "function_call_output",
                "call_id": "call_2",
                "output": [{"type": "input_text", "text": "noon"}],
            },
            {"role": "user", "content": "And?"},
        ],
        "tools": [
            {"type": "function", "name": "get_weather", "description": "Tell.", "parameters": CITY, "strict": False},
            {"type": "function", "name": "now", "parameters": EMPTY, "strict": False},
        ],
        "tool_choice": "auto",
        "parallel_tool_calls": True,
        "max_output_tokens": 500,
        "temperature": 0.5,
        "top_p": 0.9,
        "safety_identifier": "u-1",
        "metadata": {"team": "a"},
        "store": False,
        "reasoning": {"effort": "low", "summary": "auto"},
        "include": ["reasoning.encrypted_content"],
    },
    "messages": {
        "model": "m",
        "max_tokens": 5000,
        "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "Weather?"},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}},
                    {
                        "type": "document",
                        "source": {"type": "base64", "media_type": "application/pdf", "data": PDF},
                        "title": "a.pdf",
                    },
                ],
            },
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "I should look.", "signature": "c2VhbGVk"},
                    {"type": "text", "text": "Let me look."},
                    {"type": "tool_use", "id": "call_1", "name": "get_weather", "input": ARGUMENTS},
                    {"type": "tool_use", "id": "call_2", "name": "now", "input": {}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "call_1", "content": "18 °C"},
                    {
                        "type": "tool_result",
                        "tool_use_id": "call_2",
                        "is_error": True,
                        "content": [{"type": "text", "text": "noon"}],
                    },
                    {"type": "text", "text": "And?", "cache_control": {"type": "ephemeral"}},
                ],
            },
        ],
        "tools": [
            {"name": "get_weather", "description": "Tell.", "input_schema": CITY},
            {"name": "now", "input_schema": EMPTY},
        ],
        "tool_choice": {"type": "auto", "disable_parallel_tool_use": False},
        "thinking": {"type": "enabled", "budget_tokens": 2000},
        "stop_sequences": ["END"],
        "metadata": {"user_id": "u-1"},
    },
    "generate": {
        "systemInstruction": {"parts": [{"text": "Be brief."}]},
        "contents": [
            {
                "role": "user",
                "parts": [
                    {"text": "Weather?"},
                    {"inlineData": {"mimeType": "image/png", "data": PIXEL}},
                    {"inlineData": {"mimeType": "application/pdf", "data": PDF}},
                ],
            },
            {
                "role": "model",
                "parts": [
                    {"text": "I should look.", "thought": True},
                    {"text": "Let me look."},
                    {
                        "functionCall": {"id": "call_1", "name": "get_weather", "args": ARGUMENTS},
                        "thoughtSignature": "c2VhbGVk",
                    },
                    {"functionCall": {"id": "call_2", "name": "now", "args": {}}},
                ],
            },
            {
                "role": "user",
                "parts": [
                    {"functionResponse": {"id": "call_1", "name": "get_weather", "response": {"output": "18 °C"}}},
                    {"functionResponse": {"id": "call_2", "name": "now", "response": {"error": "noon"}}},
                    {"text": "And?"},
                ],
            },
        ],
        "tools": [
            {
                "functionDeclarations": [
                    {"name": "get_weather", "description": "Tell.", "parametersJsonSchema": CITY},
                    {"name": "now"},
                ]
            }
        ],
        "toolConfig": {"functionCallingConfig": {"mode": "AUTO"}},
        "generationConfig": {
            "maxOutputTokens": 500,
            "temperature": 0.5,
            "topP": 0.9,
            "topK": 40,
            "stopSequences": ["END"],
            "seed": 7,
            "thinkingConfig": {"thinkingBudget": 200, "includeThoughts": True},
        },
    },
    "converse": {
        "system": [{"text": "Be brief."}, {"cachePoint": {"type": "default"}}],
        "messages": [
            {
                "role": "user",
                "content": [
                    {"text": "Weather?"},
                    {"image": {"format": "png", "source": {"bytes": PIXEL}}},
                    {"document": {"format": "pdf", "name": "a", "source": {"bytes": PDF}}},
                ],
            },
            {
                "role": "assistant",
                "content": [
                    {
                        "reasoningContent": {
                            "reasoningText": {"text": "I should look.", "signature": "c2VhbGVk"},
                        }
                    },
                    {"text": "Let me look."},
                    {"toolUse": {"toolUseId": "call_1", "name": "get_weather", "input": ARGUMENTS}},
                    {"toolUse": {"toolUseId": "call_2", "name": "now", "input": {}}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {"toolResult": {"toolUseId": "call_1", "content": [{"text": "18 °C"}], "status": "success"}},
                    {"toolResult": {"toolUseId": "call_2", "content": [{"text": "noon"}], "status": "error"}},
                    {"text": "And?"},
                    {"cachePoint": {"type": "default"}},
                ],
            },
        ],
        "toolConfig": {
            "tools": [
                {"toolSpec": {"name": "get_weather", "description": "Tell.", "inputSchema": {"json": CITY}}},
                {"toolSpec": {"name": "now", "inputSchema": {"json": EMPTY}}},
            ],
            "toolChoice": {"auto": {}},
        },
        "inferenceConfig": {"maxTokens": 500, "temperature": 0.5, "topP": 0.9, "stopSequences": ["END"]},
        "requestMetadata": {"team": "a"},
    },
}
"""Operation to a caller's body."""
