"""Message threads, versions and betas of the Messages API: forwarded as they are, or answered as the API does.

Sources: guides "Message threads" (Errors), "Versions" (2026-10-21).
"""

from typing import Any

import anthropic
import pytest

from system.matrix.asking import WIRES

BETA = "message-threads-2026-08-12"
CREATE: Any = {"type": "create"}
CONTINUE: Any = {"type": "continue", "previous_message_id": "msg_n"}
OTHERS = [wire for wire in WIRES if wire != "messages"]


def _ask(house: Any, model: str, stream: bool, **more: Any) -> Any:
    client = house.callers["messages"].client
    asked: Any = {"model": model, "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}], **more}
    if stream:
        with client.beta.messages.stream(**asked) as events:
            return events.get_final_message()
    return client.beta.messages.create(**asked)


@pytest.mark.parametrize("thread", [CREATE, CONTINUE], ids=["create", "continue"])
def test_a_thread_is_the_providers_on_its_own_wire(house: Any, stream: bool, thread: Any) -> None:
    _ask(house, "native-messages/page", stream, thread=thread, betas=[BETA])
    _, headers, body = house.native.asked[-1]
    assert body["thread"] == thread
    assert {name.lower(): value for name, value in headers.items()}["anthropic-beta"] == BETA


@pytest.mark.parametrize("far", OTHERS)
def test_a_new_thread_is_refused_where_none_is_held(house: Any, stream: bool, far: str) -> None:
    house.asked()
    with pytest.raises(anthropic.BadRequestError) as caught:
        _ask(house, f"{far}/echo", stream, thread=CREATE, betas=[BETA])
    assert caught.value.body["error"]["type"] == "invalid_request_error"
    assert "thread" in caught.value.body["error"]["message"]
    assert house.asked() == []


@pytest.mark.parametrize("far", OTHERS)
def test_a_thread_that_goes_on_is_not_found_where_none_is_held(house: Any, stream: bool, far: str) -> None:
    house.asked()
    with pytest.raises(anthropic.NotFoundError) as caught:
        _ask(house, f"{far}/echo", stream, thread=CONTINUE, betas=[BETA])
    assert caught.value.body["error"]["type"] == "not_found_error"
    assert house.asked() == []


def test_a_caller_names_the_version_that_judges_its_fields(house: Any, stream: bool) -> None:
    more = {"extra_headers": {"anthropic-version": "2026-10-21"}, "extra_body": {"temperature": 0.5}}
    _ask(house, "native-messages/page", stream, **more)
    _, headers, body = house.native.asked[-1]
    assert body["temperature"] == 0.5  # that version refuses it, and says so itself
    assert {name.lower(): value for name, value in headers.items()}["anthropic-version"] == "2026-10-21"


def test_a_translated_call_stays_at_the_version_that_takes_its_fields(house: Any, stream: bool) -> None:
    house.callers["chat"].client.chat.completions.create(
        model="native-messages/page", messages=[{"role": "user", "content": "Hi"}], temperature=0.5, stream=stream
    )
    _, headers, body = house.native.asked[-1]
    assert body["temperature"] == 0.5
    assert {name.lower(): value for name, value in headers.items()}["anthropic-version"] == "2023-06-01"
