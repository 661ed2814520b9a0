"""Images, audio and documents in answers and in history, for wires that have no field for them.

The rules are the same for whole and streamed answers. Media that a model made is paid for and never left out. If an
answer of the caller's wire cannot hold it, it becomes a separate text: a Markdown link that contains the data
(``![image](data:image/png;base64,…)``). A transcript is placed before the link. When a caller sends such a text back in
its history, it becomes media again. If the assistant's turns of a target cannot hold media, it moves to the user's next
turn.
"""

import base64
import binascii
import re
from collections.abc import Iterable

import msgspec

from antiphon.wires.translation.neutral import Audio, File, Image, Message, Part, Text, ToolResult

Media = Image | File | Audio

_MARKDOWN = re.compile(r"\n?!?\[(image|audio|file)\]\((?:data:([\w.+/-]+(?:;[\w=-]+)*);base64,([\w+/=-]*)|(\S+))\)\n?")
_MEDIA_INTRODUCTION = "The assistant's answer held this:"
_IMAGE_PREFIXES = {
    "iVBOR": "image/png",
    "/9j/": "image/jpeg",
    "R0lGOD": "image/gif",
    "UklGR": "image/webp",
    "PHN2Zy": "image/svg+xml",
}
_AUDIO_PREFIXES = {
    "UklGR": "audio/wav",
    "SUQz": "audio/mp3",
    "//": "audio/mp3",
    "T2dn": "audio/ogg",
    "ZkxhQ": "audio/flac",
}
PCM = "audio/pcm;rate=24000"
"""Samples without a file header: 16 bit, little-endian, one channel."""
_IS_PCM = re.compile(r"audio/(?:pcm|l16)\b", re.IGNORECASE)
_RATE = re.compile(r"rate=(\d{1,6})")
IMAGE_BYTES = 1290 * 4
"""The output bytes of an image in an estimate: 1,290 tokens (Gemini, "Image generation")."""


def write_markdown(part: Media) -> str:
    """Return an image, audio or a document as Markdown, for an answer that cannot hold it."""
    kind = type(part).__name__.lower()
    address = f"data:{part.media_type};base64,{part.data}" if part.data else part.url or getattr(part, "file_id", "")
    link = f"{'!' if kind == 'image' else ''}[{kind}]({address})" if address else ""
    lines = [getattr(part, "transcript", ""), link, getattr(part, "text", "")]
    return "\n" + "\n".join(line for line in lines if line) + "\n"


def read_markdown(text: str) -> Media | None:
    """Return the media in a text that :func:`write_markdown` wrote, or ``None`` for any other text."""
    if "](data:" not in text[:4096] or (match := _MARKDOWN.fullmatch(text)) is None or not match[3]:
        return None
    kinds: dict[str, type[Media]] = {"image": Image, "audio": Audio, "file": File}
    return kinds[match[1]](data=match[3], media_type=match[2])


def guess_image_type(data: str) -> str:
    """Return the media type of an image in base64 by its first characters; PNG if they are unknown."""
    return next((kind for head, kind in _IMAGE_PREFIXES.items() if data.startswith(head)), "image/png")


def guess_audio_type(data: str) -> str:
    """Return the media type of audio in base64 by its first characters; :data:`PCM` if they are unknown."""
    return next((kind for head, kind in _AUDIO_PREFIXES.items() if data.startswith(head)), PCM)


def join_audio(pieces: Iterable[Audio]) -> Audio:
    """Return pieces of audio as one; pieces that are not base64 are left out."""
    audio_pieces = list(pieces)
    if len(audio_pieces) == 1:
        return audio_pieces[0]
    data = b"".join(_decode(piece.data) for piece in audio_pieces)
    kind = next((piece.media_type for piece in audio_pieces if piece.media_type), "")
    return Audio(base64.b64encode(data).decode(), kind, "", "".join(piece.transcript for piece in audio_pieces))


def join_images(pieces: list[Image]) -> Image:
    """Return the pieces of one image as one."""
    if len(pieces) == 1:
        return pieces[0]
    data = b"".join(_decode(piece.data) for piece in pieces)
    return msgspec.structs.replace(pieces[0], data=base64.b64encode(data).decode())


def _decode(data: str) -> bytes:
    try:
        return base64.b64decode(data + "=" * (-len(data) % 4))
    except (binascii.Error, ValueError):
        return b""


def make_playable(audio: Audio) -> Audio:
    """Return bare PCM samples as a WAV file (RIFF, "WAVE" with PCM), and any other audio unchanged."""
    if not audio.data or _IS_PCM.match(audio.media_type) is None:
        return audio
    samples = _decode(audio.data)
    rate_match = _RATE.search(audio.media_type)
    rate = int(rate_match[1]) if rate_match else 24_000
    head = b"RIFF%bWAVEfmt %b%b%b%b%b%b%bdata%b" % (
        _number(36 + len(samples), 4), _number(16, 4), _number(1, 2), _number(1, 2), _number(rate, 4),
        _number(rate * 2, 4), _number(2, 2), _number(16, 2), _number(len(samples), 4),
    )  # fmt: skip
    return msgspec.structs.replace(audio, data=base64.b64encode(head + samples).decode(), media_type="audio/wav")


def _number(value: int, size: int) -> bytes:
    return value.to_bytes(size, "little")


def move_media_to_user(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """Return a conversation whose assistant turns hold no media: it moves to the user's next turn.

    Audio with a transcript is replaced by the transcript.
    """
    if not any(message.role == "assistant" and _has_media(message) for message in messages):
        return messages
    turns: list[Message] = []
    media: list[Part] = []
    for message in messages:
        if message.role == "assistant":
            media += [part for part in message.parts if _must_move(part)]
            remaining = tuple(_to_text(part) for part in message.parts if not _must_move(part))
            turns += [msgspec.structs.replace(message, parts=remaining)] if remaining else []
        elif message.role == "user" and media:
            turns.append(msgspec.structs.replace(message, parts=_insert_after_results(message.parts, media)))
            media = []
        else:
            turns.append(message)
    return (*turns, Message("user", (Text(_MEDIA_INTRODUCTION), *media))) if media else tuple(turns)


def _has_media(message: Message) -> bool:
    return any(isinstance(part, (Image, File, Audio)) for part in message.parts)


def _must_move(part: Part) -> bool:
    return isinstance(part, (Image, File)) or (isinstance(part, Audio) and not part.transcript)


def _to_text(part: Part) -> Part:
    return Text(part.transcript) if isinstance(part, Audio) else part


def _insert_after_results(parts: tuple[Part, ...], media: list[Part]) -> tuple[Part, ...]:
    results = [part for part in parts if isinstance(part, ToolResult)]
    return (*results, Text(_MEDIA_INTRODUCTION), *media, *(part for part in parts if not isinstance(part, ToolResult)))
