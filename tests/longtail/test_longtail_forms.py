"""Forms through LiteLLM: OpenAI's own client, a recording of one megabyte, and the form that the provider gets."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import openai
import pytest
import pytest_asyncio

from antiphon.longtail.environment import Environment
from longtail.conftest import make_accounts
from longtail.provider import RecordingProvider, Reply, make_reply
from processes import Gateway

SOUND = bytes(range(256)) * 4096
SECRET = "sk-openai-secret-1"


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def gateway(
    installed: Environment, shared_provider: RecordingProvider, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Gateway]:
    folder = tmp_path_factory.mktemp("forms")
    running = await asyncio.to_thread(Gateway, folder, {"providers": make_accounts(shared_provider)})
    yield running
    assert await asyncio.to_thread(running.stop) == 0
    assert "Traceback" not in running.output, running.output


@pytest.fixture
def client(gateway: Gateway) -> Iterator[openai.AsyncOpenAI]:
    return openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.key, max_retries=0, timeout=300)


async def transcribe(client: openai.AsyncOpenAI, **fields: Any) -> Any:
    request = {"model": "openai/whisper-1", "file": ("a größe.wav", SOUND, "audio/wav")} | fields
    async with client:
        return await client.audio.transcriptions.create(**request)


@pytest.mark.asyncio(loop_scope="session")
async def test_a_transcription(client: openai.AsyncOpenAI, provider: RecordingProvider) -> None:
    provider.choose_reply = lambda _: make_reply({"text": "Grüße", "usage": {"type": "duration", "seconds": 9}})
    found = await transcribe(client, language="de", temperature=0.5, prompt="Namen: 東京")
    assert (found.text, found.usage.seconds) == ("Grüße", 9)
    request = provider.last
    assert (request.path, request.headers["authorization"]) == ("/v1/audio/transcriptions", f"Bearer {SECRET}")
    assert SOUND in request.raw
    assert "Namen: 東京".encode() in request.raw
    for value in (b"whisper-1", b"de", b"0.5"):
        assert b"\r\n\r\n%b\r\n" % value in request.raw


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize("form", ["text", "vtt"])
async def test_a_transcription_that_is_not_json(
    client: openai.AsyncOpenAI, provider: RecordingProvider, form: str
) -> None:
    provider.choose_reply = lambda _: Reply(b"WEBVTT\n\nHello", headers={"content-type": "text/plain"})
    assert (await transcribe(client, response_format=form)).strip() == "WEBVTT\n\nHello"


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"stream": True}, "leave out `stream`"),
        ({"extra_body": {"api_base": "http://evil.example"}}, "takes no 'api_base'"),
        ({"extra_body": {"temperature": "warm"}}, "`temperature` must be a number"),
    ],
)
async def test_unsupported_fields_are_rejected(
    client: openai.AsyncOpenAI, provider: RecordingProvider, fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(openai.BadRequestError, match=message):
        await transcribe(client, **fields)
    assert provider.requests == []


@pytest.mark.asyncio(loop_scope="session")
async def test_an_error_of_the_provider(client: openai.AsyncOpenAI, provider: RecordingProvider) -> None:
    provider.choose_reply = lambda _: make_reply({"error": {"message": "too loud", "type": "t"}}, 429, retry_after="7")
    with pytest.raises(openai.RateLimitError, match="too loud") as caught:
        await transcribe(client)
    assert caught.value.response.headers["retry-after"] == "7"


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")
async def test_unsupported_forms_are_named(client: openai.AsyncOpenAI, provider: RecordingProvider) -> None:
    with pytest.raises(openai.BadRequestError, match="openai/whisper-1 does not offer translations"):
        await client.audio.translations.create(model="openai/whisper-1", file=("a.wav", SOUND))
    async with client:
        with pytest.raises(openai.BadRequestError, match="openai/gpt-image-1 does not offer image_edits"):
            await client.images.edit(model="openai/gpt-image-1", image=("a.png", b"x"), prompt="a cat")
    assert provider.requests == []
