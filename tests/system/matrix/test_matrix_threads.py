"""Message threads, versions and betas of the Messages API: forwarded unchanged, or answered as the API does.

Sources: guides "Message threads" (Errors), "Versions" (2026-10-21).
"""

from typing import Any

import anthropic
import pytest

from system.matrix.questions import WIRES

BETA = "message-threads-2026-08-12"
CREATE: Any = {"type": "create"}
CONTINUE: Any = {"type": "continue", "previous_message_id": "msg_n"}
OTHERS = [wire for wire in WIRES if wire != "messages"]


def _ask(matrix: Any, model: str, stream: bool, **more: Any) -> Any:
    client = matrix.callers["messages"].client
    fields: Any = {"model": model, "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}], **more}
    if stream:
        with client.beta.messages.stream(**fields) as events:
            return events.get_final_message()
    return client.beta.messages.create(**fields)


@pytest.mark.parametrize("thread", [CREATE, CONTINUE], ids=["create", "continue"])
def test_a_thread_goes_to_a_provider_of_its_own_wire(matrix: Any, stream: bool, thread: Any) -> None:
    _ask(matrix, "native-messages/page", stream, thread=thread, betas=[BETA])
    _, headers, body = matrix.native.requests[-1]
    assert body["thread"] == thread
    assert {name.lower(): value for name, value in headers.items()}["anthropic-beta"] == BETA


@pytest.mark.parametrize("target_wire", OTHERS)
def test_a_new_thread_is_rejected_on_other_wires(matrix: Any, stream: bool, target_wire: str) -> None:
    matrix.take_requests()
    with pytest.raises(anthropic.BadRequestError) as caught:
        _ask(matrix, f"{target_wire}/echo", stream, thread=CREATE, betas=[BETA])
    assert caught.value.body["error"]["type"] == "invalid_request_error"
    assert "thread" in caught.value.body["error"]["message"]
    assert matrix.take_requests() == []


@pytest.mark.parametrize("target_wire", OTHERS)
def test_a_continued_thread_is_not_found_on_other_wires(matrix: Any, stream: bool, target_wire: str) -> None:
    matrix.take_requests()
    with pytest.raises(anthropic.NotFoundError) as caught:
        _ask(matrix, f"{target_wire}/echo", stream, thread=CONTINUE, betas=[BETA])
    assert caught.value.body["error"]["type"] == "not_found_error"
    assert matrix.take_requests() == []


def test_a_caller_chooses_the_api_version(matrix: Any, stream: bool) -> None:
    more = {"extra_headers": {"anthropic-version": "2026-10-21"}, "extra_body": {"temperature": 0.5}}
    _ask(matrix, "native-messages/page", stream, **more)
    _, headers, body = matrix.native.requests[-1]
    assert body["temperature"] == 0.5  # the provider itself rejects it for that version
    assert {name.lower(): value for name, value in headers.items()}["anthropic-version"] == "2026-10-21"


def test_a_translated_call_uses_the_version_that_takes_its_fields(matrix: Any, stream: bool) -> None:
    matrix.callers["chat"].client.chat.completions.create(
        model="native-messages/page", messages=[{"role": "user", "content": "Hi"}], temperature=0.5, stream=stream
    )
    _, headers, body = matrix.native.requests[-1]
    assert body["temperature"] == 0.5
    assert {name.lower(): value for name, value in headers.items()}["anthropic-version"] == "2023-06-01"
