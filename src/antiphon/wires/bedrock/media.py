"""Images, documents, video and sound: Converse's ``format`` words and media types (API reference, "ImageBlock" etc.).

A source is bytes in base64 or an object in S3; Converse fetches nothing else.
"""

import base64
import re
from typing import Any

from antiphon.errors import BadRequest
from antiphon.wires.neutral import Audio, File, Image

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
_NAME_LIMIT = 200


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
    return {"image": _media(part, IMAGES, "image", where)}


def sound(part: Audio, where: str) -> dict[str, Any]:
    """Return an audio block; raises as :func:`image`."""
    return {"audio": _media(part, SOUNDS, "sound", where)}


def file(part: File, where: str, names: set[str]) -> dict[str, Any]:
    """Return a document or video block; ``names`` are the document names already used. Raises as :func:`image`."""
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
    if part.url.startswith("s3://"):
        source: dict[str, Any] = {"s3Location": {"uri": part.url}}
        word = table.get(part.media_type) or part.url.rpartition(".")[2].lower()
        if word not in table.values():
            raise BadRequest(
                f"The {what} at {where} needs a media type or a file ending to tell its format.", param=where
            )
        return {"format": word, "source": source}
    if not part.data:
        raise BadRequest(
            f"The {what} at {where} is given by reference; this target takes base64 data or an s3:// address only.",
            param=where,
        )
    if (word := table.get(part.media_type.partition(";")[0].strip().lower(), "")) == "":
        raise BadRequest(
            f"The {what} at {where} has the type {part.media_type!r}; this target takes {', '.join(table)}.",
            param=where,
        )
    return {"format": word, "source": {"bytes": part.data}}


def _name(name: str, names: set[str]) -> str:
    """Return a name of the characters Converse allows that no other document of the request has."""
    clean = " ".join(_FORBIDDEN.sub(" ", name).split())[: _NAME_LIMIT - 8].strip() or "document"
    unique, number = clean, 1
    while unique in names:
        number += 1
        unique = f"{clean} {number}"
    names.add(unique)
    return unique
