"""Images and audio in answers of chat completions, whole and streamed.

Audio is in the API's own ``audio`` (API reference, "The chat completion object"). Images are in ``images``, a list of
``image_url`` parts next to the text, as routers and compatible servers write it (OpenRouter, "Image generation";
LiteLLM, "Image generation in chat completions"). Some servers put such parts into the content instead.
"""

from typing import Any

from antiphon.clock import make_id, read_time_us
from antiphon.wires.translation.media import guess_audio_type, guess_image_type, make_playable
from antiphon.wires.translation.neutral import Audio, Image

_AUDIO_LIFETIME_S = 3600
STREAM_AUDIO_FORMAT = "pcm16"
"""The only format in which audio is streamed: samples without a file header."""
AUDIO_FORMATS = {
    "audio/wav": "wav",
    "audio/x-wav": "wav",
    "audio/wave": "wav",
    "audio/mpeg": "mp3",
    "audio/mp3": "mp3",
}
"""Media type to ``input_audio.format``; for any other type the format is its subtype."""


def split_data_url(url: str) -> tuple[str, str]:
    """Return the media type and the base64 data of a ``data:`` URL (RFC 2397), or two empty strings for any other."""
    head, _, data = url.partition(",")
    if not head.startswith("data:") or not head.endswith(";base64"):
        return "", ""
    return head[5:-7].partition(";")[0], data


def read_images(images: Any) -> list[Image]:
    """Return the images of a message or a delta; parts of other kinds are left out."""
    urls = [_find_url(image) for image in images if isinstance(image, dict)] if isinstance(images, list) else []
    return [read_image(url) for url in urls if url]


def _find_url(image: dict[str, Any]) -> str:
    value = image.get("image_url") or image.get("url") or image.get("b64_json")
    url = value.get("url") if isinstance(value, dict) else value
    return url if isinstance(url, str) else ""


def read_image(url: str) -> Image:
    """Return the image of a URL, of a ``data:`` URL, or of bare base64."""
    media_type, data = split_data_url(url)
    if data:
        return Image(data=data, media_type=media_type or guess_image_type(data))
    if "://" in url[:16] or url.startswith("data:"):
        return Image(url=url)
    return Image(data=url, media_type=guess_image_type(url))


def read_audio(audio: Any) -> Audio | None:
    """Return the audio of a message or the piece in a delta, ``None`` if it has neither data nor transcript."""
    if not isinstance(audio, dict):
        return None
    data, transcript = str(audio.get("data") or ""), str(audio.get("transcript") or "")
    return Audio(data, guess_audio_type(data) if data else "", "", transcript) if data or transcript else None


def write_images(images: list[Image], first_index: int = 0) -> list[dict[str, Any]]:
    """Return the ``images`` of a message or a delta; ``first_index`` is the number of earlier images."""
    return [
        {"type": "image_url", "image_url": {"url": image.url or _make_data_url(image)}, "index": index}
        for index, image in enumerate(images, first_index)
    ]


def _make_data_url(image: Image) -> str:
    return f"data:{image.media_type or guess_image_type(image.data)};base64,{image.data}"


def write_audio(audio: Audio, audio_format: str, audio_id: str = "") -> dict[str, Any]:
    """Return ``audio``; samples without a file header become a WAV file, unless ``audio_format`` asks for them."""
    if audio_format != STREAM_AUDIO_FORMAT:
        audio = make_playable(audio)
    return {
        "id": audio_id or make_id("audio"),
        "data": audio.data,
        "expires_at": read_time_us() // 1_000_000 + _AUDIO_LIFETIME_S,
        "transcript": audio.transcript,
    }


def has_field(part: object) -> bool:
    """Say whether this wire has a field for a part of an answer."""
    return isinstance(part, Audio) or (isinstance(part, Image) and bool(part.data or part.url))
