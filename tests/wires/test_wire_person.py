"""The caller's own user arrives under a name that the target's provider takes, always the same one."""

import hashlib
import json

import pytest

from antiphon.types import Origin, Target
from antiphon.wires.table import CODECS, get_codec

LONG = "user_" + "0123456789abcdef" * 4 + "_account__session_0123"
ADDRESS = "ada@example.com"
TARGET = Target("p/m", "p", "m", "kind", "wire", Origin("http", "h", 80), {})
HELLO = {"role": "user", "content": "Hi"}
ASKED = {
    "chat": lambda user: {"messages": [HELLO], "user": user},
    "responses": lambda user: {"input": "Hi", "user": user},
    "messages": lambda user: {"messages": [HELLO], "max_tokens": 9, "metadata": {"user_id": user}},
}


@pytest.mark.parametrize("near", ASKED)
@pytest.mark.parametrize(("far", "refused"), [("chat", LONG), ("responses", LONG), ("messages", ADDRESS)])
def test_a_name_that_would_be_refused_is_hashed_and_any_other_kept(near: str, far: str, refused: str) -> None:
    def arrives(user: str) -> str:
        request = get_codec(near).read_request({"model": "m", **ASKED[near](user)}, "m", False)
        body = json.loads(get_codec(far).write_request(request, TARGET).body)
        name: str = body["metadata"]["user_id"] if far == "messages" else body["user"]
        return name

    assert far in CODECS
    assert arrives("u-1") == "u-1"
    assert arrives(refused) == hashlib.sha256(refused.encode()).hexdigest()
