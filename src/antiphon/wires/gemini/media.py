"""Images, audio and documents between neutral parts and ``inlineData`` / ``fileData`` (API reference, "Part").

A ``fileUri`` may be a file that was uploaded to the provider, an object in Cloud Storage, or a public address
("File input methods").
"""

import base64
from typing import Any
from urllib.parse import urlsplit

from antiphon.errors import BadRequest
from antiphon.wires.translation.neutral import Audio, File, Image

_FILE_PATHS = ("/v1beta/files/", "/v1/files/", "/v1alpha/files/")
_ALIASES = {"audio/mpeg": "audio/mp3", "audio/x-wav": "audio/wav", "audio/wave": "audio/wav", "image/jpg": "image/jpeg"}
_BY_ENDING = {
    "png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "webp": "image/webp", "heic": "image/heic",
    "heif": "image/heif", "gif": "image/gif", "pdf": "application/pdf", "txt": "text/plain", "md": "text/md",
    "html": "text/html", "css": "text/css", "csv": "text/csv", "xml": "text/xml", "rtf": "text/rtf",
    "json": "application/json", "wav": "audio/wav", "mp3": "audio/mp3", "aiff": "audio/aiff", "aac": "audio/aac",
    "ogg": "audio/ogg", "flac": "audio/flac", "mp4": "video/mp4", "mpeg": "video/mpeg", "mov": "video/quicktime",
    "webm": "video/webm",
}  # fmt: skip
_LEVELS = {
    "MEDIA_RESOLUTION_LOW": "low",
    "MEDIA_RESOLUTION_MEDIUM": "auto",
    "MEDIA_RESOLUTION_HIGH": "high",
    "MEDIA_RESOLUTION_ULTRA_HIGH": "high",
}


def read_inline(media_type: str, data: str, name: str = "", resolution: Any = None) -> Image | Audio | File:
    """Return the neutral part for bytes in a request or an answer; video becomes a file."""
    kind = media_type.partition("/")[0]
    if kind == "image":
        return Image(data=data, media_type=media_type, detail=_read_detail(resolution))
    if kind == "audio":
        return Audio(data=data, media_type=media_type)
    return File(data=data, media_type=media_type, name=name)


def read_uri(media_type: str, uri: str, name: str = "", resolution: Any = None) -> Image | Audio | File:
    """Return the neutral part for a URI; the URI of a file at the provider becomes its ``file_id``."""
    is_provider_file = uri.startswith("gs://") or any(path in uri for path in _FILE_PATHS)
    url, file_id = ("", uri) if is_provider_file else (uri, "")
    kind = media_type.partition("/")[0]
    if kind == "image":
        return Image(url=url, media_type=media_type, file_id=file_id, detail=_read_detail(resolution))
    if kind == "audio":
        return Audio(media_type=media_type, url=uri)
    return File(url=url, media_type=media_type, file_id=file_id, name=name)


def _read_detail(resolution: Any) -> str:
    level = resolution.get("level") if type(resolution) is dict else resolution
    return _LEVELS.get(level, "") if type(level) is str else ""


def write_media(part: Image | Audio | File) -> dict[str, Any]:
    """Return ``{"inlineData": …}`` or ``{"fileData": …}``.

    Raises :class:`~antiphon.errors.BadRequest` for media that this wire cannot take: another provider's file id, or
    bytes without a media type.
    """
    if isinstance(part, File) and part.text:
        return _write_inline_data(part.media_type or "text/plain", base64.b64encode(part.text.encode()).decode())
    if part.data:
        return _write_inline_data(part.media_type, part.data)
    address = part.url or getattr(part, "file_id", "")
    if address.startswith("data:"):
        head, _, data = address[5:].partition(",")
        if not head.endswith(";base64"):
            raise BadRequest("A data: URL must hold base64 for this model.", param="url")
        return _write_inline_data(head.partition(";")[0], data)
    if "://" not in address:
        problem = f"the file id {address!r}, which belongs to another provider" if address else "no data"
        raise BadRequest(
            f"A part of the request holds {problem}; send its bytes as base64 or its URL.", param="file_id"
        )
    return _write_file_data(address, part.media_type)


def _write_file_data(uri: str, media_type: str) -> dict[str, Any]:
    ending = urlsplit(uri).path.rpartition(".")[2].lower()
    kind = media_type or _BY_ENDING.get(ending, "")
    data = {"mimeType": _ALIASES.get(kind, kind), "fileUri": uri} if kind else {"fileUri": uri}
    return {"fileData": data}


def _write_inline_data(media_type: str, data: str) -> dict[str, Any]:
    if not media_type:
        raise BadRequest("A part of the request holds bytes without their media type; name it.", param="media_type")
    return {"inlineData": {"mimeType": _ALIASES.get(media_type, media_type), "data": data}}
