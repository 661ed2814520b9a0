"""A program on Anthropic's client 0.x: it reads requests as lines of JSON, and writes the answers as lines of JSON.

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


def make_user_turn(content: Any) -> Any:
    return {"role": "user", "content": content}


def ask_whole(client: Any, model: str, text: str) -> Any:
    raw = client.messages.with_raw_response.create(model=model, max_tokens=500, messages=[make_user_turn(text)])
    message = raw.parse()
    sent = raw.http_request.headers
    return describe_message(message) | {
        "id": message._request_id,
        "sent": [name for name in ("x-api-key", "authorization") if name in sent],
    }


def ask_stream(client: Any, model: str, text: str) -> Any:
    with client.messages.stream(model=model, max_tokens=500, messages=[make_user_turn(text)]) as stream:
        pieces = "".join(stream.text_stream)
        return describe_message(stream.get_final_message()) | {"pieces": pieces, "id": stream.request_id}


def list_events(client: Any, model: str, text: str) -> Any:
    """Return the events of a stream as the client parses them, without its message accumulator."""
    with client.messages.create(
        model=model, max_tokens=500, messages=[make_user_turn(text)], tools=TOOLS, stream=True
    ) as events:
        return [event.to_dict() for event in events]


def converse_with_tools(client: Any, model: str, text: str) -> Any:
    """Run two streamed turns: the model's tool calls, then their results."""
    request: Any = {"model": model, "max_tokens": 500, "tools": TOOLS}
    with client.messages.stream(messages=[make_user_turn(text)], **request) as stream:
        arguments = [event.partial_json for event in stream if event.type == "input_json"]
        first = stream.get_final_message()
    results = [
        {"type": "tool_result", "tool_use_id": block.id, "content": RESULTS[block.name]}
        for block in first.content
        if block.type == "tool_use"
    ]
    turns = [make_user_turn(text), {"role": "assistant", "content": first.content}, make_user_turn(results)]
    with client.messages.stream(messages=turns, **request) as stream:
        last = stream.get_final_message()
    return {"arguments": "".join(arguments), "first": describe_message(first), "last": describe_message(last)}


def count_tokens(client: Any, model: str, text: str) -> Any:
    return client.messages.count_tokens(model=model, messages=[make_user_turn(text)]).input_tokens


def describe_message(message: Any) -> dict[str, Any]:
    return {
        "text": "".join(block.text for block in message.content if block.type == "text"),
        "thinking": "".join(block.thinking for block in message.content if block.type == "thinking"),
        "signed": [bool(block.signature) for block in message.content if block.type == "thinking"],
        "calls": [(block.name, block.input) for block in message.content if block.type == "tool_use"],
        "reason": message.stop_reason,
        "usage": message.usage.to_dict(),
    }


def describe_error(error: anthropic.APIError) -> dict[str, Any]:
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
    programs = {
        program.__name__: program for program in (ask_whole, ask_stream, list_events, converse_with_tools, count_tokens)
    }
    for line in sys.stdin:
        request = json.loads(line)
        with anthropic.Anthropic(base_url=request["url"], api_key=request["key"], max_retries=0, timeout=20) as client:
            try:
                answer = programs[request["program"]](client, request["model"], request["text"])
            except anthropic.APIError as error:
                answer = {"error": describe_error(error)}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
