"""Images and sound: requested on every wire, streamed with any split, and in the form that a caller requested."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.catalog.profiles import get_profile
from antiphon.errors import BadRequest
from antiphon.types import Origin, Target
from antiphon.wires.table import get_codec, get_wire
from antiphon.wires.translation.choice import choose_translator
from antiphon.wires.translation.media import PCM, make_playable, read_markdown, write_markdown
from antiphon.wires.translation.neutral import (
    Audio,
    BlockStart,
    BlockStop,
    Choice,
    Delta,
    Event,
    Finish,
    Image,
    Media,
    Message,
    Reply,
    Request,
    Start,
    StreamEnd,
    Text,
)

REQUEST = Request(model="m", messages=(Message("user", (Text("x"),)),))
HAVE_IMAGES = ("chat", "responses", "generate", "converse")
MODELS = {"generate": "gemini-3-pro-image", "messages": "claude-sonnet-5"}
USER = [{"role": "user", "content": "x"}]
REQUESTS: dict[str, dict[str, Any]] = {
    "chat": {"model": "m", "messages": USER, "modalities": ["text", "image"]},
    "responses": {
        "model": "m", "input": "x", "tools": [{"type": "image_generation"}], "tool_choice": {"type": "image_generation"}
    },
    "generate": {
        "contents": [{"parts": [{"text": "x"}]}], "generationConfig": {"responseModalities": ["TEXT", "IMAGE"]}
    },
}  # fmt: skip
CHECKS: dict[str, Any] = {
    "chat": lambda body: body["modalities"] == ["text", "image"],
    "responses": lambda body: body["tools"] == [{"type": "image_generation"}] and "tool_choice" not in body,
    "generate": lambda body: body["generationConfig"]["responseModalities"] == ["TEXT", "IMAGE"],
}


def translate(caller: str, provider: str, document: dict[str, Any]) -> Any:
    body = json.dumps(document).encode()
    envelope = get_wire(caller).peek(body, "m" if caller == "generate" else "", False)
    model = MODELS.get(provider, "m")
    target = Target(
        "p/m", "p", model, "k", provider, Origin("http", "x", 1), {provider: "/"}, profile=get_profile(model)
    )
    translator = choose_translator(get_wire(caller), envelope, target)
    encoded = translator.encode_request(body, target)
    written = json.loads(encoded.bodies[0])
    assert encoded.dropped == ()
    return written


@pytest.mark.parametrize(
    ("caller", "provider"), [(caller, provider) for caller in REQUESTS for provider in CHECKS if caller != provider]
)
def test_a_request_for_images_is_translated(caller: str, provider: str) -> None:
    assert CHECKS[provider](translate(caller, provider, REQUESTS[caller]))


@pytest.mark.parametrize(
    ("caller", "name"),
    [
        ("chat", "modalities"),
        ("responses", "tools.image_generation"),
        ("generate", "generationConfig.responseModalities"),
    ],
)
@pytest.mark.parametrize("provider", ["messages", "converse"])
def test_a_request_for_images_is_refused_for_wires_without_images(caller: str, provider: str, name: str) -> None:
    with pytest.raises(BadRequest) as caught:
        translate(caller, provider, REQUESTS[caller])
    assert caught.value.param == name
    assert f"`{name}`" in caught.value.message


def test_options_of_the_image_tool_are_reported_as_dropped() -> None:
    document = REQUESTS["responses"] | {"tools": [{"type": "image_generation", "size": "1024x1024"}]}
    body = json.dumps(document).encode()
    model = "gemini-3-pro-image"
    profile = get_profile(model)
    target = Target("p/m", "p", model, "k", "gemini", Origin("http", "x", 1), {"generate": "/"}, profile=profile)
    translator = choose_translator(get_wire("responses"), get_wire("responses").peek(body), target)
    encoded = translator.encode_request(body, target)
    assert encoded.dropped == ("tools.image_generation.size",)


blocks = st.lists(st.sampled_from(("text", "image")) | st.binary(min_size=1, max_size=9), min_size=1, max_size=6)


def make_events(parts: list[Any]) -> list[Event]:
    made: list[Event] = [Start("chatcmpl-1", "m")]
    for index, part in enumerate(parts):
        if isinstance(part, bytes):
            data = base64.b64encode(b"\x89PNG\r\n\x1a\n" + part).decode()
            made.append(Media(index, Image(data=data, media_type="image/png")))
        else:
            made += [BlockStart(index, "text"), Delta(index, part), BlockStop(index)]
    return [*made, Finish("stop"), StreamEnd()]


@pytest.mark.parametrize("wire", HAVE_IMAGES)
@given(parts=blocks, data=st.data())
def test_images_survive_a_stream_for_any_split(wire: str, parts: list[Any], data: st.DataObject) -> None:
    codec = get_codec(wire)
    writer, reader, splitter = codec.make_writer(REQUEST), codec.make_reader(), codec.make_splitter()
    sent = make_events(parts)
    raw = b"".join(writer.write(event) for event in sent)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=4)))
    pieces = [raw[start:end] for start, end in zip([0, *cuts], [*cuts, len(raw)], strict=True)]
    got = [event for piece in pieces for frame in splitter.feed(piece) for event in reader.read(frame)]
    got += reader.close()
    assert [event.part for event in got if isinstance(event, Media)] == [
        event.part for event in sent if isinstance(event, Media)
    ]
    opened: set[int] = set()
    for event in got:
        if isinstance(event, BlockStart | Media):
            assert not opened, "a block begins inside another"
        if isinstance(event, BlockStart):
            opened.add(event.index)
        elif isinstance(event, BlockStop):
            opened.remove(event.index)
    assert "".join(event.text for event in got if isinstance(event, Delta)) == "".join(
        part for part in parts if isinstance(part, str)
    )
    indices = [event.index for event in got if isinstance(event, BlockStart | Media)]
    assert indices == sorted(set(indices))


@pytest.mark.parametrize(("format", "begins"), [("", b"RIFF"), ("wav", b"RIFF"), ("pcm16", b"\1\2")])
def test_sound_has_the_requested_format(format: str, begins: bytes) -> None:
    samples = Audio(base64.b64encode(b"\1\2\3\4").decode(), PCM, "", "Hi")
    request = Request(model="m", messages=REQUEST.messages, echo={"audio": format})
    reply = Reply(id="chatcmpl-1", model="m", choices=(Choice((samples,), Finish("stop")),))
    audio = json.loads(get_codec("chat").write_reply(reply, request))["choices"][0]["message"]["audio"]
    assert base64.b64decode(audio["data"]).startswith(begins)
    assert audio["transcript"] == "Hi"


@pytest.mark.parametrize(
    "part",
    [
        Image(data="iVBORw0KGgo=", media_type="image/png"),
        Image(data="PHN2Zy8+", media_type="image/svg+xml"),
        make_playable(Audio("AQID", PCM)),
    ],
)
def test_media_written_as_markdown_are_read_back(part: Any) -> None:
    assert read_markdown(write_markdown(part)) == part


@pytest.mark.parametrize("text", ["![image](https://x/y.png)", "See ![image](data:image/png;base64,AA==)", "x" * 9999])
def test_other_markdown_stays_text(text: str) -> None:
    assert read_markdown(text) is None
