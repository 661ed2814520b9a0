"""Images, documents, video and sound: Converse's ``format`` words and media types (API reference, "ImageBlock" etc.).

A source is bytes in base64 or an object in S3; Converse fetches nothing else.
"""

import base64
import re
from typing import Any, TypeVar

import msgspec

from antiphon.errors import BadRequest
from antiphon.wires.translation.neutral import Audio, File, Image

_DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

IMAGES = {"image/png": "png", "image/jpeg": "jpeg", "image/gif": "gif", "image/webp": "webp", "image/jpg": "jpeg"}
DOCUMENTS = {
    "application/pdf": "pdf",
    "text/csv": "csv",
    "application/msword": "doc",
    _DOCX: "docx",
    "application/vnd.ms-excel": "xls",
    _XLSX: "xlsx",
    "text/html": "html",
    "text/plain": "txt",
    "text/markdown": "md",
    "application/json": "txt",
}
VIDEOS = {
    "video/x-matroska": "mkv",
    "video/quicktime": "mov",
    "video/mp4": "mp4",
    "video/webm": "webm",
    "video/x-flv": "flv",
    "video/mpeg": "mpeg",
    "video/x-ms-wmv": "wmv",
    "video/3gpp": "three_gp",
}
SOUNDS = {
    "audio/wav": "wav",
    "audio/mp3": "mp3",
    "audio/flac": "flac",
    "audio/ogg": "ogg",
    "audio/opus": "opus",
    "audio/aac": "aac",
    "audio/mp4": "mp4",
    "audio/m4a": "m4a",
    "audio/webm": "webm",
    "audio/pcm": "pcm",
    "audio/x-matroska": "mka",
    "audio/mpeg": "mp3",
    "audio/x-wav": "wav",
    "audio/wave": "wav",
}
_FORBIDDEN = re.compile(r"[^A-Za-z0-9\s\-()\[\]]+")
_DATA_URL = re.compile(r"data:([^;,]*)(?:;[^;,]*)*;base64,", re.IGNORECASE)
_S3 = "s3://"
_NAME_LIMIT = 200
_Part = TypeVar("_Part", Image, File, Audio)


def _inverse(table: dict[str, str]) -> dict[str, str]:
    return {word: kind for kind, word in reversed(table.items())}


IMAGE_TYPES = _inverse(IMAGES)
DOCUMENT_TYPES = _inverse(DOCUMENTS)
VIDEO_TYPES = _inverse(VIDEOS) | {"mpg": "video/mpeg"}
SOUND_TYPES = _inverse(SOUNDS) | {
    "x-aac": "audio/aac",
    "mpeg": "audio/mp3",
    "mpga": "audio/mp3",
    "mkv": "audio/x-matroska",
}


def image(part: Image, where: str) -> dict[str, Any]:
    """Return an image block; raises :class:`BadRequest` for a format or a place Converse cannot take it from."""
    return {"image": _media(_inlined(part), IMAGES, "image", where)}


def sound(part: Audio, where: str) -> dict[str, Any]:
    """Return an audio block; raises as :func:`image`."""
    return {"audio": _media(_inlined(part), SOUNDS, "sound", where)}


def file(part: File, where: str, names: set[str]) -> dict[str, Any]:
    """Return a document or video block; ``names`` are the document names already used. Raises as :func:`image`."""
    part = _inlined(part)
    if part.media_type in VIDEOS:
        return {"video": _media(part, VIDEOS, "video", where)}
    if part.text:
        text = base64.b64encode(part.text.encode()).decode()
        block = {"format": DOCUMENTS.get(part.media_type, "txt"), "source": {"bytes": text}}
    else:
        block = _media(part, DOCUMENTS, "document", where)
    block["name"] = _name(part.name, names)
    if part.cite:
        block["citations"] = {"enabled": True}
    return {"document": block}


def _media(part: Image | File | Audio, table: dict[str, str], what: str, where: str) -> dict[str, Any]:
    if part.url.startswith(_S3):
        source: dict[str, Any] = {"s3Location": {"uri": part.url}}
    elif part.data:
        source = {"bytes": part.data}
    else:
        raise BadRequest(
            f"The {what} at `{where}` is given by reference; this target takes base64 data or an s3:// address only.",
            param=where,
        )
    return {"format": _word(part, table, what, where), "source": source}


def _word(part: Image | File | Audio, table: dict[str, str], what: str, where: str) -> str:
    """Return Converse's word for a part's format: by its media type, or the ending of its name where it has none."""
    kind = part.media_type.partition(";")[0].strip().lower()
    if kind in table:
        return table[kind]
    if not kind:
        ending = (part.url or getattr(part, "name", "")).rpartition(".")[2].lower()
        if ending in table.values():
            return ending
    elif kind.startswith("text/") and table is DOCUMENTS:
        return "txt"
    told = f"has the type {kind!r}" if kind else "has no media type"
    raise BadRequest(f"The {what} at `{where}` {told}; this target takes {', '.join(table)}.", param=where)


def _inlined(part: _Part) -> _Part:
    """Return a part with the content of a data URL as its data."""
    given = part.data or part.url
    if (inline := _DATA_URL.match(given)) is None:
        return part
    return msgspec.structs.replace(part, data=given[inline.end() :], url="", media_type=inline[1].lower())


def _name(name: str, names: set[str]) -> str:
    """Return a name of the characters Converse allows that no other document of the request has."""
    clean = " ".join(_FORBIDDEN.sub(" ", name).split())[: _NAME_LIMIT - 8].strip() or "document"
    unique, number = clean, 1
    while unique in names:
        number += 1
        unique = f"{clean} {number}"
    names.add(unique)
    return unique
