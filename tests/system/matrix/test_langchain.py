"""LangChain's clients of OpenAI and Anthropic: simple chats with tools, on targets of every wire."""

import warnings
from typing import Any

import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of the modules that LangChain imports
    from langchain_anthropic import ChatAnthropic
    from langchain_core.messages import HumanMessage, SystemMessage, ToolMessage
    from langchain_core.tools import tool
    from langchain_openai import ChatOpenAI

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:langchain_core")

CLIENTS = ["openai", "responses", "anthropic"]


@tool
def get_weather(city: str) -> str:
    """Tell the weather of a city."""
    return f"18 °C in {city}"


@tool("now")
def get_time() -> str:
    """Tell the time."""
    return "noon"


TOOLS = {each.name: each for each in (get_weather, get_time)}


def make_model(matrix: Any, client: str, name: str) -> Any:
    url, key = matrix.gateway.url, matrix.gateway.key
    if client == "anthropic":
        return ChatAnthropic(model=name, base_url=url, api_key=key, max_retries=0, max_tokens=500)
    more: dict[str, Any] = {"use_responses_api": True, "store": False} if client == "responses" else {}
    more["stream_usage"] = True  # LangChain turns it off for addresses that are not OpenAI's
    return ChatOpenAI(model=name, base_url=url + "/v1", api_key=key, max_retries=0, **more)


@pytest.mark.parametrize("client", CLIENTS)
def test_a_chat(matrix: Any, client: str, target_wire: str, stream: bool) -> None:
    model = make_model(matrix, client, f"{target_wire}/echo")
    messages = [SystemMessage("Be brief."), HumanMessage("Grüße aus 東京")]
    if stream:
        pieces = list(model.stream(messages))
        answer = pieces[0]
        for piece in pieces[1:]:
            answer += piece
    else:
        answer = model.invoke(messages)
    assert answer.text == "Grüße aus 東京"
    assert answer.usage_metadata["output_tokens"] == 3
    assert answer.usage_metadata["input_tokens"] > 0


@pytest.mark.parametrize("client", CLIENTS)
def test_a_conversation_with_tools(matrix: Any, client: str, target_wire: str, stream: bool) -> None:
    model = make_model(matrix, client, f"{target_wire}/echo").bind_tools(list(TOOLS.values()))
    messages: list[Any] = [HumanMessage("weather")]
    if stream:
        answer = None
        for piece in model.stream(messages):
            answer = piece if answer is None else answer + piece
    else:
        answer = model.invoke(messages)
    assert [(call["name"], call["args"]) for call in answer.tool_calls] == [
        ("get_weather", {"city": 'Zürich 東京 "🌦"'}),
        ("now", {}),
    ]
    messages.append(answer)
    messages += [
        ToolMessage(TOOLS[call["name"]].invoke(call["args"]), tool_call_id=call["id"]) for call in answer.tool_calls
    ]
    assert model.invoke(messages).text == "It is sunny."
