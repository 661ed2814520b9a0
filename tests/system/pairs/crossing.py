"""What the tests of pairs share: a call's way to a target of another wire and back, without any socket."""

import json
from typing import Any, NamedTuple

from antiphon.catalog.profiles import get_profile
from antiphon.errors import BadAnswer
from antiphon.types import Origin, Target
from antiphon.wires import get_wire
from antiphon.wires.translation.choice import choose_translator
from antiphon.wires.translation.translator import EncodedRequest, Translator
from antiphon.wires.wire import WholeAnswer

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


class Crossing(NamedTuple):
    """A request that was encoded for a target, and what translates the target's answer back."""

    translator: Translator
    encoded: EncodedRequest

    @property
    def dropped(self) -> tuple[str, ...]:
        return self.encoded.dropped

    def read_whole(self, body: bytes) -> tuple[WholeAnswer, bytes]:
        return self.translator.decode_whole((body,) * len(self.encoded.bodies))


def crossing(near: str, far: str, body: bytes, stream: bool) -> tuple[Crossing, bytes]:
    """Do with a caller's body what a call does until it is sent; return the way back, and what is sent."""
    wire, keyed = get_wire(near), near in KEYED
    envelope = wire.peek(body, "m" if keyed else "", stream if keyed else None)
    assert wire.count_input_bytes(envelope) >= 0
    translator = choose_translator(wire, envelope, target(far))
    encoded = translator.encode_request(body, target(far))
    for sent in encoded.bodies:
        json.loads(sent)
    assert all(isinstance(name, str) and name for name in encoded.dropped)
    return Crossing(translator, encoded), encoded.bodies[0]


def asking(near: str, asked: Any, stream: bool) -> bytes:
    """Return a caller's body that asks for a whole answer or a stream, on wires that say so there."""
    return json.dumps({**asked, "stream": True} if stream and near not in KEYED else asked).encode()


def passed(way: Crossing, frames: list[bytes]) -> bytes:
    """Do with a provider's frames what a call does, to its end or to its admission that the stream broke."""
    watch, shown = way.translator.start_stream(way.encoded), b""
    try:
        for frame in frames:
            shown += watch.feed(frame)
            if watch.ended or watch.error is not None:
                break
        if watch.error is not None:
            return shown + watch.fail(watch.error)
        if not watch.complete:
            raise BadAnswer("It was cut short.")
        assert watch.output_bytes >= 0
        shown += watch.finish()
        assert watch.usage is None or watch.usage.total >= 0
    except BadAnswer as error:
        return shown + watch.fail(error)
    return shown
