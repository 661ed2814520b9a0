"""A program on Anthropic's client 0.x: reads what to ask as lines of JSON, and writes what it saw as lines of JSON.

Run by :mod:`matrix.test_matrix_anthropic0` with the packages of ``requirements/anthropic0.txt`` and no others.
"""

import json
import sys
from typing import Any

import anthropic

TOOLS: Any = [
    {
        "name": "get_weather",
        "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
    {"name": "now", "input_schema": {"type": "object", "properties": {}}},
]
RESULTS = {"get_weather": "18 °C", "now": "noon"}


def user(content: Any) -> Any:
    return {"role": "user", "content": content}


def whole(client: Any, model: str, text: str) -> Any:
    raw = client.messages.with_raw_response.create(model=model, max_tokens=500, messages=[user(text)])
    message = raw.parse()
    sent = raw.http_request.headers
    return told(message) | {
        "id": message._request_id,
        "sent": [name for name in ("x-api-key", "authorization") if name in sent],
    }


def streamed(client: Any, model: str, text: str) -> Any:
    with client.messages.stream(model=model, max_tokens=500, messages=[user(text)]) as stream:
        pieces = "".join(stream.text_stream)
        return told(stream.get_final_message()) | {"pieces": pieces, "id": stream.request_id}


def raw(client: Any, model: str, text: str) -> Any:
    """The events of a stream as the client parses them, without its own idea of a message."""
    with client.messages.create(model=model, max_tokens=500, messages=[user(text)], tools=TOOLS, stream=True) as events:
        return [event.to_dict() for event in events]


def conversation(client: Any, model: str, text: str) -> Any:
    """Two turns, both streamed: the tools that are asked for, and their results."""
    asked: Any = {"model": model, "max_tokens": 500, "tools": TOOLS}
    with client.messages.stream(messages=[user(text)], **asked) as stream:
        arguments = [event.partial_json for event in stream if event.type == "input_json"]
        first = stream.get_final_message()
    results = [
        {"type": "tool_result", "tool_use_id": block.id, "content": RESULTS[block.name]}
        for block in first.content
        if block.type == "tool_use"
    ]
    turns = [user(text), {"role": "assistant", "content": first.content}, user(results)]
    with client.messages.stream(messages=turns, **asked) as stream:
        last = stream.get_final_message()
    return {"arguments": "".join(arguments), "first": told(first), "last": told(last)}


def count(client: Any, model: str, text: str) -> Any:
    return client.messages.count_tokens(model=model, messages=[user(text)]).input_tokens


def told(message: Any) -> dict[str, Any]:
    return {
        "text": "".join(block.text for block in message.content if block.type == "text"),
        "thinking": "".join(block.thinking for block in message.content if block.type == "thinking"),
        "signed": [bool(block.signature) for block in message.content if block.type == "thinking"],
        "calls": [(block.name, block.input) for block in message.content if block.type == "tool_use"],
        "reason": message.stop_reason,
        "usage": message.usage.to_dict(),
    }


def failed(error: anthropic.APIError) -> dict[str, Any]:
    response = getattr(error, "response", None)
    return {
        "class": type(error).__name__,
        "status": getattr(error, "status_code", None),
        "retry": None if response is None else response.headers.get("retry-after"),
        "id": getattr(error, "request_id", None),
        "body": error.body,
    }


def main() -> None:
    print(json.dumps(anthropic.__version__), flush=True)
    programs = {program.__name__: program for program in (whole, streamed, raw, conversation, count)}
    for line in sys.stdin:
        asked = json.loads(line)
        with anthropic.Anthropic(base_url=asked["url"], api_key=asked["key"], max_retries=0, timeout=20) as client:
            try:
                seen = programs[asked["program"]](client, asked["model"], asked["text"])
            except anthropic.APIError as error:
                seen = {"error": failed(error)}
        print(json.dumps(seen), flush=True)


if __name__ == "__main__":
    main()
