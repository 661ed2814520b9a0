"""A call to a target of another wire and back, without any socket; shared by the tests of pairs."""

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
"""Operation to a model that supports everything in the samples."""
TARGET_ONLY = {"vertex_predict", "titan_embed", "nova_embed", "cohere_embed"}
"""Operations that only targets offer and no caller can ask for."""
MODEL_IN_PATH = TARGET_ONLY | {
    *("generate", "gemini_count_tokens", "gemini_embed", "gemini_embed_batch"),
    *("converse", "bedrock_count_tokens"),
}
"""Operations that name the model in their path."""


def make_target(target: str) -> Target:
    model = MODELS.get(target, "m")
    origin = Origin("http", "h", 80)
    return Target("p/m", "p", model, "kind", target, origin, {target: "/x"}, profile=get_profile(model))


class TranslatedCall(NamedTuple):
    """A request that was encoded for a target, and the translator of the target's answer."""

    translator: Translator
    encoded: EncodedRequest

    @property
    def dropped(self) -> tuple[str, ...]:
        return self.encoded.dropped

    def read_whole(self, body: bytes) -> tuple[WholeAnswer, bytes]:
        return self.translator.decode_whole((body,) * len(self.encoded.bodies))


def translate_request(caller: str, target: str, body: bytes, stream: bool) -> tuple[TranslatedCall, bytes]:
    """Process a caller's body up to sending; return the translated call, and the body that is sent."""
    wire, keyed = get_wire(caller), caller in MODEL_IN_PATH
    envelope = wire.peek(body, "m" if keyed else "", stream if keyed else None)
    assert wire.count_input_bytes(envelope) >= 0
    translator = choose_translator(wire, envelope, make_target(target))
    encoded = translator.encode_request(body, make_target(target))
    for sent in encoded.bodies:
        json.loads(sent)
    assert all(isinstance(name, str) and name for name in encoded.dropped)
    return TranslatedCall(translator, encoded), encoded.bodies[0]


def write_caller_body(caller: str, document: Any, stream: bool) -> bytes:
    """Return a caller's body for a whole answer or a stream, on wires whose body says which."""
    return json.dumps({**document, "stream": True} if stream and caller not in MODEL_IN_PATH else document).encode()


def translate_stream(call: TranslatedCall, frames: list[bytes]) -> bytes:
    """Translate a provider's frames as a call does, up to the end or to the error for a broken stream."""
    stream, written = call.translator.start_stream(call.encoded), b""
    try:
        for frame in frames:
            written += stream.feed(frame)
            if stream.ended or stream.error is not None:
                break
        if stream.error is not None:
            return written + stream.fail(stream.error)
        if not stream.complete:
            raise BadAnswer("It was cut short.")
        assert stream.output_bytes >= 0
        written += stream.finish()
        assert stream.usage is None or stream.usage.total >= 0
    except BadAnswer as error:
        return written + stream.fail(error)
    return written
