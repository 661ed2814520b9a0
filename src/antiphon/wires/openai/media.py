"""Images and sound in answers of chat completions, whole and streamed.

Sound is the API's own ``audio`` (API reference, "The chat completion object"). Images are ``images``, a list of
``image_url`` parts beside the text, as routers and compatible servers have it (OpenRouter, "Image generation"; LiteLLM,
"Image generation in chat completions"); some servers put such parts into the content instead.
"""

from typing import Any

from antiphon.clock import new_id, now_us
from antiphon.wires.translation.media import image_type, playable, sound_type
from antiphon.wires.translation.neutral import Audio, Image

_KEPT_SECONDS = 3600
STREAMED = "pcm16"
"""The one form that sound is streamed in: samples without a head."""
FORMATS = {
    "audio/wav": "wav",
    "audio/x-wav": "wav",
    "audio/wave": "wav",
    "audio/mpeg": "mp3",
    "audio/mp3": "mp3",
}
"""Media types of sound to the words of ``input_audio.format``; another type is told by its second half."""


def data_url(url: str) -> tuple[str, str]:
    """Return media type and base64 data of a ``data:`` URL (RFC 2397), or two empty strings for any other."""
    head, _, data = url.partition(",")
    if not head.startswith("data:") or not head.endswith(";base64"):
        return "", ""
    return head[5:-7].partition(";")[0], data


def read_images(images: Any) -> list[Image]:
    """Return the images of a message or a delta; what is none is left out."""
    found = [_url(image) for image in images if isinstance(image, dict)] if isinstance(images, list) else []
    return [read_image(url) for url in found if url]


def _url(image: dict[str, Any]) -> str:
    place = image.get("image_url") or image.get("url") or image.get("b64_json")
    place = place.get("url") if isinstance(place, dict) else place
    return place if isinstance(place, str) else ""


def read_image(place: str) -> Image:
    """Return the image at a URL, a ``data:`` URL, or of bare base64."""
    media_type, data = data_url(place)
    if data:
        return Image(data=data, media_type=media_type or image_type(data))
    if "://" in place[:16] or place.startswith("data:"):
        return Image(url=place)
    return Image(data=place, media_type=image_type(place))


def read_audio(audio: Any) -> Audio | None:
    """Return the sound of a message, or the piece of it in a delta, ``None`` where it has neither sound nor words."""
    if not isinstance(audio, dict):
        return None
    data, transcript = str(audio.get("data") or ""), str(audio.get("transcript") or "")
    return Audio(data, sound_type(data) if data else "", "", transcript) if data or transcript else None


def write_images(images: list[Image], first: int = 0) -> list[dict[str, Any]]:
    """Return the ``images`` of a message or a delta; ``first`` is the number of those before them."""
    return [
        {"type": "image_url", "image_url": {"url": image.url or _data(image)}, "index": first + at}
        for at, image in enumerate(images)
    ]


def _data(image: Image) -> str:
    return f"data:{image.media_type or image_type(image.data)};base64,{image.data}"


def write_audio(sound: Audio, form: str, name: str = "") -> dict[str, Any]:
    """Return ``audio``; sound without a head becomes a WAV file, unless ``form`` asks for the bare samples."""
    if form != STREAMED:
        sound = playable(sound)
    return {
        "id": name or new_id("audio"),
        "data": sound.data,
        "expires_at": now_us() // 1_000_000 + _KEPT_SECONDS,
        "transcript": sound.transcript,
    }


def is_shown(part: object) -> bool:
    """Whether a part of an answer has a place of its own on this wire."""
    return isinstance(part, Audio) or (isinstance(part, Image) and bool(part.data or part.url))
