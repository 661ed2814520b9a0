"""Every decoder gives a result or one clean error for any input."""

from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.catalog.profiles import get_profile
from antiphon.errors import BadAnswer, BadRequest, CallError
from antiphon.types import Origin, Target
from antiphon.wires.anthropic import AnthropicCodec, CountTokens, Messages
from antiphon.wires.translation.foreign_signatures import MARK, unpack_signature
from antiphon.wires.translation.json_schema import fit_schema
from antiphon.wires.translation.neutral import Request

CODEC, MESSAGES, COUNT = AnthropicCodec(), Messages(), CountTokens()
TARGETS = [
    Target(
        "acct/m",
        "acct",
        model,
        "kind",
        "anthropic",
        Origin("https", "api.example", 443),
        {},
        profile=get_profile(model),
    )
    for model in ("claude-opus-5-5", "claude-sonnet-4-5", "m")
]

WORDS = (
    "type", "text", "role", "content", "user", "assistant", "system", "image", "source", "base64", "url", "data",
    "media_type", "image/png", "application/pdf", "document", "tool_use", "tool_result", "id", "name", "input",
    "tool_use_id", "thinking", "signature", "redacted_thinking", "citations", "cache_control", "messages", "message",
    "delta", "index", "content_block", "text_delta", "input_json_delta", "partial_json", "thinking_delta",
    "signature_delta", "citations_delta", "citation", "usage", "input_tokens", "output_tokens", "stop_reason",
    "end_turn", "message_start", "content_block_start", "content_block_delta", "content_block_stop", "message_delta",
    "message_stop", "error", "properties", "items", "anyOf", "$ref", "#", "enum", "object", "array", "format",
)  # fmt: skip

scalars = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(codec="utf-8"), max_size=8), st.sampled_from(WORDS),
)  # fmt: skip
keys = st.one_of(st.sampled_from(WORDS), st.text(st.characters(codec="utf-8"), max_size=4))
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(keys, inner, max_size=5)),
    max_leaves=20,
)

BLOCKS = st.one_of(
    st.fixed_dictionaries({"type": st.sampled_from(WORDS), "text": scalars}),
    st.fixed_dictionaries({"type": st.just("text"), "text": st.text(st.characters(codec="utf-8"), max_size=5)}),
    st.fixed_dictionaries({"type": st.just("image"), "source": values}),
    st.fixed_dictionaries({"type": st.just("tool_use"), "id": scalars, "name": scalars, "input": values}),
    st.fixed_dictionaries({"type": st.just("tool_result"), "tool_use_id": scalars, "content": values}),
    st.fixed_dictionaries({"type": st.just("thinking"), "thinking": scalars, "signature": scalars}),
)
MESSAGE = st.fixed_dictionaries(
    {"role": st.sampled_from(("user", "assistant", "system")), "content": st.lists(BLOCKS, max_size=3)}
)
OPTIONAL = (
    "system", "tools", "tool_choice", "thinking", "output_config", "thread", "metadata", "stop_sequences",
)  # fmt: skip
DOCUMENTS = st.fixed_dictionaries(
    {"model": st.just("m"), "max_tokens": st.just(5), "messages": st.lists(st.one_of(MESSAGE, values), min_size=1)},
    optional=dict.fromkeys(
        ("system", "tools", "tool_choice", "thinking", "output_config", "thread", "metadata", "stop_sequences"), values
    ),
)


def encode(value: Any) -> bytes:
    try:
        return msgspec.json.encode(value)
    except (OverflowError, msgspec.MsgspecError):
        return b"{}"


@given(st.one_of(st.binary(max_size=60), values.map(encode), DOCUMENTS.map(encode)))
@settings(max_examples=200, deadline=None)
def test_requests(body: bytes) -> None:
    for wire in (MESSAGES, COUNT):
        try:
            envelope = wire.peek(body)
        except BadRequest:
            continue
        wire.count_input_bytes(envelope)
        wire.encode(body, envelope, TARGETS[0])
        try:
            request = CODEC.read_request(envelope.document, envelope.model, envelope.stream)
        except CallError as error:
            assert 400 <= error.status < 500
            continue
        write_for_all_targets(request)


def write_for_all_targets(request: Request) -> None:
    for target in TARGETS:
        try:
            written = CODEC.write_request(request, target)
        except BadRequest:
            continue
        msgspec.json.decode(written.body)


@given(DOCUMENTS)
@settings(max_examples=200, deadline=None)
def test_a_request_that_was_written_reads_back_the_same(document: dict[str, Any]) -> None:
    """The body for a target of this wire means the same as the caller's."""
    try:
        request = CODEC.read_request(document, "m", False)
        written = CODEC.write_request(request, TARGETS[0])
    except CallError:
        return
    again = CODEC.read_request(msgspec.json.decode(written.body), "m", False)
    assert again.tools == request.tools or not request.tools
    assert CODEC.write_request(again, TARGETS[0]).body == written.body


@given(st.one_of(st.binary(max_size=60), values.map(encode)))
@settings(max_examples=200, deadline=None)
def test_answers(body: bytes) -> None:
    for read in (MESSAGES.read_whole, COUNT.read_whole, CODEC.read_reply):
        try:
            read(body)
        except BadAnswer:
            continue
    assert isinstance(MESSAGES.read_error_message(body), str)


FRAMES = st.one_of(
    st.binary(max_size=40).map(lambda data: b"data: " + data.replace(b"\n", b" ") + b"\n\n"),
    values.map(lambda value: b"event: x\ndata: " + encode(value) + b"\n\n"),
    st.fixed_dictionaries(
        {"type": st.sampled_from(WORDS)},
        optional=dict.fromkeys(("message", "index", "content_block", "delta", "usage", "error"), values),
    ).map(lambda value: b"data: " + encode(value) + b"\n\n"),
    st.sampled_from(
        (
            b'data: {"type":"message_start","message":{"id":1,"usage":{"input_tokens":1}}}\n\n',
            b'data: {"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"t"}}\n\n',
            b'data: {"type":"content_block_start","index":1,"content_block":{"type":"thinking"}}\n\n',
            b'data: {"type":"content_block_delta","index":1,"delta":{"type":"thinking_delta","thinking":"x"}}\n\n',
            b'data: {"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":""}}\n\n',
            b'data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":5}}\n\n',
            b'data: {"type":"message_stop"}\n\n',
        )
    ),
)


@given(st.lists(FRAMES, max_size=8))
@settings(max_examples=200, deadline=None)
def test_streams(frames: list[bytes]) -> None:
    reader, writer = CODEC.make_reader(), CODEC.make_writer(Request(model="m", messages=()))
    watch = MESSAGES.start_stream(
        MESSAGES.peek(b'{"model":"m","max_tokens":1,"messages":[{"role":"user","content":""}]}'), False
    )
    for frame in frames:
        try:
            assert watch.feed(frame) is frame
            for event in reader.read(frame):
                writer.write(event)
        except BadAnswer:
            break
    for event in reader.close():
        writer.write(event)
    assert watch.output_bytes >= 0
    assert watch.usage is None or watch.usage.total >= 0


@given(st.text(max_size=30))
def test_any_carried_signature_is_read_or_ignored(text: str) -> None:
    unpack_signature(MARK + text)


@given(st.dictionaries(keys, values, max_size=5))
@settings(max_examples=200, deadline=None)
def test_schemas(schema: dict[str, Any]) -> None:
    fitted = fit_schema(schema)
    assert fitted is None or fit_schema(fitted.schema) is not None
