"""What the tests of pairs share: a call's way to a target of another wire and back, without any socket."""

import json
from typing import Any

from antiphon.catalog.profiles import get_profile
from antiphon.engine.bridge import Bridge, bridge
from antiphon.errors import BadAnswer
from antiphon.types import Origin, Target
from antiphon.wires import get_wire

MODELS = {
    "chat": "gpt-5",
    "responses": "gpt-5",
    "messages": "claude-sonnet-4-5",
    "generate": "gemini-3-pro",
    "converse": "anthropic.claude-sonnet-4-5-20250929-v1:0",
}
"""Operation to a model that takes all that the samples ask for."""
FAR_ONLY = {"vertex_predict", "titan_embed", "nova_embed", "cohere_embed"}
"""Operations that targets are asked and callers cannot ask."""
KEYED = FAR_ONLY | {
    *("generate", "gemini_count_tokens", "gemini_embed", "gemini_embed_batch"),
    *("converse", "bedrock_count_tokens"),
}
"""Operations whose path has the model."""


def target(far: str) -> Target:
    model = MODELS.get(far, "m")
    origin = Origin("http", "h", 80)
    return Target("p/m", "p", model, "kind", far, origin, {far: "/x"}, profile=get_profile(model))


def crossing(near: str, far: str, body: bytes, stream: bool) -> tuple[Bridge, bytes]:
    """Do with a caller's body what a call does until it is sent; return the way back, and what is sent."""
    wire, keyed = get_wire(near), near in KEYED
    envelope = wire.peek(body, "m" if keyed else "", stream if keyed else None)
    assert wire.count_input_bytes(envelope) >= 0
    way = bridge(wire, envelope, target(far))
    sent = way.encode(body, target(far))
    json.loads(sent)
    assert all(isinstance(name, str) and name for name in way.dropped)
    return way, sent


def asking(near: str, asked: Any, stream: bool) -> bytes:
    """Return a caller's body that asks for a whole answer or a stream, on wires that say so there."""
    return json.dumps({**asked, "stream": True} if stream and near not in KEYED else asked).encode()


def passed(way: Bridge, frames: list[bytes]) -> bytes:
    """Do with a provider's frames what a call does, to its end or to its admission that the stream broke."""
    watch, shown = way.start_stream(), b""
    try:
        for frame in frames:
            shown += watch.feed(frame)
            if watch.ended or watch.error is not None:
                break
        if watch.error is not None:
            return shown + way.admit(watch, watch.error)
        if not watch.complete:
            raise BadAnswer("It was cut short.")
        assert watch.output_bytes >= 0
        shown += way.rest(watch)
        assert watch.usage is None or watch.usage.total >= 0
    except BadAnswer as error:
        return shown + way.admit(watch, error)
    return shown
