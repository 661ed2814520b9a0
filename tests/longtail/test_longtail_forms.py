"""Forms through LiteLLM: OpenAI's own client, a recording of a megabyte, a provider that checks what it gets."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import openai
import pytest
import pytest_asyncio

from antiphon.longtail.environment import Environment
from living import Gateway
from longtail.far import Far, Reply, reply

SOUND = bytes(range(256)) * 4096
SECRET = "sk-openai-secret-1"


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def served(
    installed: Environment, far: Far, accounts: Any, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Gateway]:
    folder = tmp_path_factory.mktemp("forms")
    running = await asyncio.to_thread(Gateway, folder, {"providers": accounts(far)})
    yield running
    assert await asyncio.to_thread(running.stop) == 0
    assert "Traceback" not in running.output, running.output


@pytest.fixture
def client(served: Gateway) -> Iterator[openai.AsyncOpenAI]:
    return openai.AsyncOpenAI(base_url=f"{served.url}/v1", api_key=served.key, max_retries=0, timeout=60)


async def transcribed(client: openai.AsyncOpenAI, **fields: Any) -> Any:
    asked = {"model": "openai/whisper-1", "file": ("a größe.wav", SOUND, "audio/wav")} | fields
    async with client:
        return await client.audio.transcriptions.create(**asked)


@pytest.mark.asyncio(loop_scope="session")
async def test_a_transcription(client: openai.AsyncOpenAI, fresh: Far) -> None:
    fresh.answers = lambda _: reply({"text": "Grüße", "usage": {"type": "duration", "seconds": 9}})
    found = await transcribed(client, language="de", temperature=0.5, prompt="Namen: 東京")
    assert (found.text, found.usage.seconds) == ("Grüße", 9)
    seen = fresh.last
    assert (seen.path, seen.headers["authorization"]) == ("/v1/audio/transcriptions", f"Bearer {SECRET}")
    assert SOUND in seen.raw
    assert "Namen: 東京".encode() in seen.raw
    for value in (b"whisper-1", b"de", b"0.5"):
        assert b"\r\n\r\n%b\r\n" % value in seen.raw


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize("form", ["text", "vtt"])
async def test_a_transcription_that_is_no_json(client: openai.AsyncOpenAI, fresh: Far, form: str) -> None:
    fresh.answers = lambda _: Reply(b"WEBVTT\n\nHello", headers={"content-type": "text/plain"})
    assert (await transcribed(client, response_format=form)).strip() == "WEBVTT\n\nHello"


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"stream": True}, "leave out `stream`"),
        ({"extra_body": {"api_base": "http://evil.example"}}, "takes no 'api_base'"),
        ({"extra_body": {"temperature": "warm"}}, "`temperature` must be a number"),
    ],
)
async def test_what_litellm_cannot_do_is_refused(
    client: openai.AsyncOpenAI, fresh: Far, fields: dict[str, Any], said: str
) -> None:
    with pytest.raises(openai.BadRequestError, match=said):
        await transcribed(client, **fields)
    assert fresh.seen == []


@pytest.mark.asyncio(loop_scope="session")
async def test_a_refusal_of_the_provider(client: openai.AsyncOpenAI, fresh: Far) -> None:
    fresh.answers = lambda _: reply({"error": {"message": "too loud", "type": "t"}}, 429, retry_after="7")
    with pytest.raises(openai.RateLimitError, match="too loud") as caught:
        await transcribed(client)
    assert caught.value.response.headers["retry-after"] == "7"


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")
async def test_other_forms_name_what_is_wrong(client: openai.AsyncOpenAI, fresh: Far) -> None:
    with pytest.raises(openai.BadRequestError, match="openai/whisper-1 does not offer translations"):
        await client.audio.translations.create(model="openai/whisper-1", file=("a.wav", SOUND))
    async with client:
        with pytest.raises(openai.BadRequestError, match="openai/gpt-image-1 does not offer image_edits"):
            await client.images.edit(model="openai/gpt-image-1", image=("a.png", b"x"), prompt="a cat")
    assert fresh.seen == []
