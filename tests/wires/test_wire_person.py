"""The caller's user name reaches the provider in a form that it accepts, always the same one."""

import hashlib
import json

import pytest

from antiphon.types import Origin, Target
from antiphon.wires.table import CODECS, get_codec

LONG = "user_" + "0123456789abcdef" * 4 + "_account__session_0123"
ADDRESS = "ada@example.com"
TARGET = Target("p/m", "p", "m", "kind", "wire", Origin("http", "h", 80), {})
HELLO = {"role": "user", "content": "Hi"}
REQUESTS = {
    "chat": lambda user: {"messages": [HELLO], "user": user},
    "responses": lambda user: {"input": "Hi", "user": user},
    "messages": lambda user: {"messages": [HELLO], "max_tokens": 9, "metadata": {"user_id": user}},
}


@pytest.mark.parametrize("caller", REQUESTS)
@pytest.mark.parametrize(("provider", "refused"), [("chat", LONG), ("responses", LONG), ("messages", ADDRESS)])
def test_a_user_name_that_would_be_refused_is_hashed_and_others_are_kept(
    caller: str, provider: str, refused: str
) -> None:
    def translate_user(user: str) -> str:
        request = get_codec(caller).read_request({"model": "m", **REQUESTS[caller](user)}, "m", False)
        body = json.loads(get_codec(provider).write_request(request, TARGET).body)
        name: str = body["metadata"]["user_id"] if provider == "messages" else body["user"]
        return name

    assert provider in CODECS
    assert translate_user("u-1") == "u-1"
    assert translate_user(refused) == hashlib.sha256(refused.encode()).hexdigest()
