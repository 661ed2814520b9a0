"""Images, sound and documents in answers and in history, for wires that have no place for them.

The rules are the same for whole and streamed answers. Media that a model made is paid for and never left out. If an
answer of the caller's wire cannot hold it, it becomes a text of its own: a Markdown link with the data in it
(``![image](data:image/png;base64,…)``). The transcript of a sound comes before its link. Such a text in a caller's
history is read back as the media that it was. If the assistant's turns of a target cannot hold media, it moves to the
user's next turn.
"""

import base64
import binascii
import re
from collections.abc import Iterable

import msgspec

from antiphon.wires.translation.neutral import Audio, File, Image, Message, Part, Text, ToolResult

Media = Image | File | Audio

_SHOWN = re.compile(r"\n?!?\[(image|audio|file)\]\((?:data:([\w.+/-]+(?:;[\w=-]+)*);base64,([\w+/=-]*)|(\S+))\)\n?")
_MADE = "The assistant's answer held this:"
_BEGINNINGS = {
    "iVBOR": "image/png",
    "/9j/": "image/jpeg",
    "R0lGOD": "image/gif",
    "UklGR": "image/webp",
    "PHN2Zy": "image/svg+xml",
}
_SOUND_BEGINNINGS = {
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
"""The output that an image counts for in an estimate: 1,290 tokens (Gemini, "Image generation")."""


def write_markdown(part: Media) -> str:
    """Return an image, a sound or a document as Markdown, for an answer that cannot hold it."""
    kind = type(part).__name__.lower()
    place = f"data:{part.media_type};base64,{part.data}" if part.data else part.url or getattr(part, "file_id", "")
    link = f"{'!' if kind == 'image' else ''}[{kind}]({place})" if place else ""
    words = [getattr(part, "transcript", ""), link, getattr(part, "text", "")]
    return "\n" + "\n".join(word for word in words if word) + "\n"


def read_markdown(text: str) -> Media | None:
    """Return the media in a text that :func:`write_markdown` wrote, or ``None`` for any other text."""
    if "](data:" not in text[:4096] or (match := _SHOWN.fullmatch(text)) is None or not match[3]:
        return None
    kinds: dict[str, type[Media]] = {"image": Image, "audio": Audio, "file": File}
    return kinds[match[1]](data=match[3], media_type=match[2])


def guess_image_type(data: str) -> str:
    """Return the media type of an image in base64, judged by its beginning; PNG if that is unknown."""
    return next((kind for head, kind in _BEGINNINGS.items() if data.startswith(head)), "image/png")


def guess_sound_type(data: str) -> str:
    """Return the media type of a sound in base64, judged by its beginning; :data:`PCM` if that is unknown."""
    return next((kind for head, kind in _SOUND_BEGINNINGS.items() if data.startswith(head)), PCM)


def join_audio(pieces: Iterable[Audio]) -> Audio:
    """Return the pieces of one sound as one; pieces that are not base64 are left out."""
    taken = list(pieces)
    if len(taken) == 1:
        return taken[0]
    data = b"".join(_decode(piece.data) for piece in taken)
    kind = next((piece.media_type for piece in taken if piece.media_type), "")
    return Audio(base64.b64encode(data).decode(), kind, "", "".join(piece.transcript for piece in taken))


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


def make_playable(sound: Audio) -> Audio:
    """Return bare PCM samples as a WAV file (RIFF, "WAVE" with PCM), and any other sound unchanged."""
    if not sound.data or _IS_PCM.match(sound.media_type) is None:
        return sound
    samples = _decode(sound.data)
    found = _RATE.search(sound.media_type)
    rate = int(found[1]) if found else 24_000
    head = b"RIFF%bWAVEfmt %b%b%b%b%b%b%bdata%b" % (
        _number(36 + len(samples), 4), _number(16, 4), _number(1, 2), _number(1, 2), _number(rate, 4),
        _number(rate * 2, 4), _number(2, 2), _number(16, 2), _number(len(samples), 4),
    )  # fmt: skip
    return msgspec.structs.replace(sound, data=base64.b64encode(head + samples).decode(), media_type="audio/wav")


def _number(value: int, size: int) -> bytes:
    return value.to_bytes(size, "little")


def move_media_to_user(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """Return a conversation whose assistant turns hold no media: it moves to the user's next turn.

    A sound with a transcript becomes its transcript.
    """
    if not any(message.role == "assistant" and _has_media(message) for message in messages):
        return messages
    turns: list[Message] = []
    waiting: list[Part] = []
    for message in messages:
        if message.role == "assistant":
            waiting += [part for part in message.parts if _must_move(part)]
            kept = tuple(_to_text(part) for part in message.parts if not _must_move(part))
            turns += [msgspec.structs.replace(message, parts=kept)] if kept else []
        elif message.role == "user" and waiting:
            turns.append(msgspec.structs.replace(message, parts=_insert_after_results(message.parts, waiting)))
            waiting = []
        else:
            turns.append(message)
    return (*turns, Message("user", (Text(_MADE), *waiting))) if waiting else tuple(turns)


def _has_media(message: Message) -> bool:
    return any(isinstance(part, Image | File | Audio) for part in message.parts)


def _must_move(part: Part) -> bool:
    return isinstance(part, Image | File) or (isinstance(part, Audio) and not part.transcript)


def _to_text(part: Part) -> Part:
    return Text(part.transcript) if isinstance(part, Audio) else part


def _insert_after_results(parts: tuple[Part, ...], waiting: list[Part]) -> tuple[Part, ...]:
    results = [part for part in parts if isinstance(part, ToolResult)]
    return (*results, Text(_MADE), *waiting, *(part for part in parts if not isinstance(part, ToolResult)))
