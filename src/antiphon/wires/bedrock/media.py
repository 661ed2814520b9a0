"""Images, documents, video and audio: Converse's ``format`` names and media types (API reference, "ImageBlock" etc.).

A source is bytes in base64 or an object in S3, because Converse fetches nothing else.
"""

import base64
import re
from typing import Any, TypeVar

import msgspec

from antiphon.errors import BadRequest
from antiphon.wires.translation.neutral import Audio, File, Image

_DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

IMAGE_FORMATS = {
    "image/png": "png",
    "image/jpeg": "jpeg",
    "image/gif": "gif",
    "image/webp": "webp",
    "image/jpg": "jpeg",
}
DOCUMENT_FORMATS = {
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
VIDEO_FORMATS = {
    "video/x-matroska": "mkv",
    "video/quicktime": "mov",
    "video/mp4": "mp4",
    "video/webm": "webm",
    "video/x-flv": "flv",
    "video/mpeg": "mpeg",
    "video/x-ms-wmv": "wmv",
    "video/3gpp": "three_gp",
}
AUDIO_FORMATS = {
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
_FORBIDDEN_IN_NAMES = re.compile(r"[^A-Za-z0-9\s\-()\[\]]+")
_DATA_URL = re.compile(r"data:([^;,]*)(?:;[^;,]*)*;base64,", re.IGNORECASE)
_S3 = "s3://"
_NAME_LIMIT = 200
_Part = TypeVar("_Part", Image, File, Audio)


def _invert(formats: dict[str, str]) -> dict[str, str]:
    return {name: media_type for media_type, name in reversed(formats.items())}


IMAGE_TYPES = _invert(IMAGE_FORMATS)
DOCUMENT_TYPES = _invert(DOCUMENT_FORMATS)
VIDEO_TYPES = _invert(VIDEO_FORMATS) | {"mpg": "video/mpeg"}
AUDIO_TYPES = _invert(AUDIO_FORMATS) | {
    "x-aac": "audio/aac",
    "mpeg": "audio/mp3",
    "mpga": "audio/mp3",
    "mkv": "audio/x-matroska",
}


def write_image(part: Image, path: str) -> dict[str, Any]:
    """Return an image block; raises :class:`BadRequest` for a format or a source that Converse does not take."""
    return {"image": _write_media(_inline_data_url(part), IMAGE_FORMATS, "image", path)}


def write_audio(part: Audio, path: str) -> dict[str, Any]:
    """Return an audio block; raises as :func:`write_image`."""
    return {"audio": _write_media(_inline_data_url(part), AUDIO_FORMATS, "audio", path)}


def write_file(part: File, path: str, names: set[str]) -> dict[str, Any]:
    """Return a document or video block; raises as :func:`write_image`.

    ``names`` are the document names of the request so far; the name of this one is added.
    """
    part = _inline_data_url(part)
    if part.media_type in VIDEO_FORMATS:
        return {"video": _write_media(part, VIDEO_FORMATS, "video", path)}
    if part.text:
        data = base64.b64encode(part.text.encode()).decode()
        block = {"format": DOCUMENT_FORMATS.get(part.media_type, "txt"), "source": {"bytes": data}}
    else:
        block = _write_media(part, DOCUMENT_FORMATS, "document", path)
    block["name"] = _make_unique_name(part.name, names)
    if part.cite:
        block["citations"] = {"enabled": True}
    return {"document": block}


def _write_media(part: Image | File | Audio, formats: dict[str, str], kind: str, path: str) -> dict[str, Any]:
    if part.url.startswith(_S3):
        source: dict[str, Any] = {"s3Location": {"uri": part.url}}
    elif part.data:
        source = {"bytes": part.data}
    else:
        raise BadRequest(
            f"The {kind} at `{path}` is given by reference; this target takes base64 data or an s3:// address only.",
            param=path,
        )
    return {"format": _get_format(part, formats, kind, path), "source": source}


def _get_format(part: Image | File | Audio, formats: dict[str, str], kind: str, path: str) -> str:
    """Return Converse's name for a part's format: by its media type, or by its file extension if it has no type."""
    media_type = part.media_type.partition(";")[0].strip().lower()
    if media_type in formats:
        return formats[media_type]
    if not media_type:
        extension = (part.url or getattr(part, "name", "")).rpartition(".")[2].lower()
        if extension in formats.values():
            return extension
    elif media_type.startswith("text/") and formats is DOCUMENT_FORMATS:
        return "txt"
    problem = f"has the type {media_type!r}" if media_type else "has no media type"
    raise BadRequest(f"The {kind} at `{path}` {problem}; this target takes {', '.join(formats)}.", param=path)


def _inline_data_url(part: _Part) -> _Part:
    """Return a part with the content of a data URL as its data."""
    data_or_url = part.data or part.url
    if (match := _DATA_URL.match(data_or_url)) is None:
        return part
    return msgspec.structs.replace(part, data=data_or_url[match.end() :], url="", media_type=match[1].lower())


def _make_unique_name(name: str, names: set[str]) -> str:
    """Return a document name in the characters that Converse allows, different from all ``names``; add it to them."""
    base = " ".join(_FORBIDDEN_IN_NAMES.sub(" ", name).split())[: _NAME_LIMIT - 8].strip() or "document"
    unique, number = base, 1
    while unique in names:
        number += 1
        unique = f"{base} {number}"
    names.add(unique)
    return unique
