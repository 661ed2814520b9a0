"""Fixtures of the tests of the Messages wire: targets, requests and frames."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from antiphon.catalog.profiles import get_profile
from antiphon.types import Origin, Target
from antiphon.wires.anthropic import AnthropicCodec
from antiphon.wires.sse import SSESplitter
from antiphon.wires.translation.neutral import Event, Message, Request, Text


@pytest.fixture(scope="session")
def codec() -> AnthropicCodec:
    return AnthropicCodec()


@pytest.fixture(scope="session")
def target() -> Callable[..., Target]:
    def make(model: str = "claude-opus-5-5") -> Target:
        origin = Origin("https", "api.example", 443)
        urls = {"messages": "/v1/messages", "count_tokens": "/v1/messages/count_tokens"}
        return Target(f"acct/{model}", "acct", model, "kind", "anthropic", origin, urls, profile=get_profile(model))

    return make


@pytest.fixture(scope="session")
def ask() -> Callable[..., Request]:
    """Make a neutral request with one user message and any other fields."""

    def make(*parts: Any, **more: Any) -> Request:
        messages = more.pop("messages", (Message("user", parts or (Text("Hello"),)),))
        return Request(model="smart", messages=messages, **more)

    return make


@pytest.fixture(scope="session")
def write(
    codec: AnthropicCodec, target: Callable[..., Target]
) -> Callable[..., tuple[dict[str, Any], tuple[str, ...]]]:
    """Write a neutral request; return the decoded body and what was dropped."""

    def make(request: Request, model: str = "claude-opus-5-5") -> tuple[dict[str, Any], tuple[str, ...]]:
        written = codec.write_request(request, target(model))
        return msgspec.json.decode(written.body), written.dropped

    return make


@pytest.fixture(scope="session")
def stream() -> Callable[..., bytes]:
    """Write event objects as frames, as the API does."""

    def make(*events: dict[str, Any]) -> bytes:
        return b"".join(
            b"event: %b\ndata: %b\n\n" % (event["type"].encode(), msgspec.json.encode(event)) for event in events
        )

    return make


@pytest.fixture(scope="session")
def read_stream(codec: AnthropicCodec) -> Callable[..., list[Event]]:
    """Read the chunks of a whole stream into neutral events."""

    def make(*chunks: bytes) -> list[Event]:
        splitter, reader = SSESplitter(), codec.make_reader()
        events = [event for chunk in chunks for frame in splitter.feed(chunk) for event in reader.read(frame)]
        return events + reader.close()

    return make
