"""The content of messages and tool results: text, images, files, audio, refusals (API reference, "Input items")."""

import re
from typing import Any, TypeAlias

import msgspec

from antiphon.errors import BadRequest
from antiphon.wires.translation.citations import find_page, flatten_citation, read_span
from antiphon.wires.translation.neutral import Audio, File, Image, Part, Refusal, Text

_DATA_URL = re.compile(r"data:([\w.+-]+/[\w.+-]+)(?:;[\w=.-]+)*;base64,", re.ASCII)
_AUDIO_TYPES = {"wav": "audio/wav", "mp3": "audio/mpeg"}
_AUDIO_FORMATS = {
    "audio/wav": "wav",
    "audio/x-wav": "wav",
    "audio/wave": "wav",
    "audio/mpeg": "mp3",
    "audio/mp3": "mp3",
}
_MEDIA_TYPES = {
    "csv": "text/csv",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "html": "text/html",
    "json": "application/json",
    "md": "text/markdown",
    "pdf": "application/pdf",
    "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "txt": "text/plain",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "xml": "application/xml",
}
_EXTENSIONS = {media_type: extension for extension, media_type in _MEDIA_TYPES.items()}
_PDF = "application/pdf"
_NATIVE_CITATIONS = frozenset(("file_citation", "url_citation", "container_file_citation", "file_path"))


class InputText(msgspec.Struct, tag="input_text", omit_defaults=True):
    text: str
    prompt_cache_breakpoint: dict[str, Any] | None = None


class OutputText(msgspec.Struct, tag="output_text", omit_defaults=True):
    text: str
    annotations: list[dict[str, Any]] | None = None
    logprobs: list[dict[str, Any]] | None = None


class RefusalText(msgspec.Struct, tag="refusal"):
    refusal: str


class InputImage(msgspec.Struct, tag="input_image", omit_defaults=True):
    image_url: str | None = None
    file_id: str | None = None
    detail: str | None = None
    prompt_cache_breakpoint: dict[str, Any] | None = None


class InputFile(msgspec.Struct, tag="input_file", omit_defaults=True):
    file_data: str | None = None
    file_url: str | None = None
    file_id: str | None = None
    filename: str | None = None
    prompt_cache_breakpoint: dict[str, Any] | None = None


class AudioData(msgspec.Struct):
    data: str
    format: str


class InputAudio(msgspec.Struct, tag="input_audio"):
    input_audio: AudioData


Content: TypeAlias = InputText | OutputText | RefusalText | InputImage | InputFile | InputAudio
Block: TypeAlias = Text | Image | File


def read_contents(contents: str | list[Content], path: str) -> tuple[Part, ...]:
    """Return the parts of a message's or a tool result's content; ``path`` is its path in the request."""
    if isinstance(contents, str):
        return (Text(contents),)
    return tuple(_READERS[type(content)](content, f"{path}[{index}]") for index, content in enumerate(contents))


def _read_text(content: InputText, path: str) -> Text:
    return Text(content.text, _read_cache_breakpoint(content.prompt_cache_breakpoint))


def _read_output(content: OutputText | RefusalText, path: str) -> Text | Refusal:
    return read_output_content(content)


def read_output_content(content: OutputText | RefusalText) -> Text | Refusal:
    """Return the part of a content of an answer; annotations without a type are left out."""
    if isinstance(content, RefusalText):
        return Refusal(content.refusal)
    return Text(content.text, citations=tuple(citation for citation in content.annotations or () if "type" in citation))


def _read_image(content: InputImage, path: str) -> Image:
    detail, cache = content.detail or "", _read_cache_breakpoint(content.prompt_cache_breakpoint)
    if content.file_id:
        return Image(file_id=content.file_id, detail=detail, cache=cache)
    if not (url := content.image_url):
        raise BadRequest(f"`{path}` needs `image_url` or `file_id`.", param=path)
    if not url.startswith("data:"):
        return Image(url=url, detail=detail, cache=cache)
    media_type, data = _split_data_url(url, f"{path}.image_url")
    return Image(data=data, media_type=media_type, detail=detail, cache=cache)


def _read_file(content: InputFile, path: str) -> File:
    name, cache = content.filename or "", _read_cache_breakpoint(content.prompt_cache_breakpoint)
    if content.file_id:
        return File(file_id=content.file_id, name=name, cache=cache)
    if content.file_url:
        return File(url=content.file_url, name=name, cache=cache)
    if not (data := content.file_data):
        raise BadRequest(f"`{path}` needs `file_data`, `file_url` or `file_id`.", param=path)
    media_type = _MEDIA_TYPES.get(name.rpartition(".")[2].lower(), _PDF)
    if data.startswith("data:"):
        media_type, data = _split_data_url(data, f"{path}.file_data")
    return File(data=data, media_type=media_type, name=name, cache=cache)


def _read_audio(content: InputAudio, path: str) -> Audio:
    media_type = _AUDIO_TYPES.get(content.input_audio.format)
    if media_type is None:
        raise BadRequest(f"`{path}.input_audio.format` must be wav or mp3.", param=f"{path}.input_audio.format")
    return Audio(content.input_audio.data, media_type)


_READERS: dict[type, Any] = {
    InputText: _read_text,
    OutputText: _read_output,
    RefusalText: _read_output,
    InputImage: _read_image,
    InputFile: _read_file,
    InputAudio: _read_audio,
}


def _split_data_url(url: str, path: str) -> tuple[str, str]:
    match = _DATA_URL.match(url)
    if match is None:
        raise BadRequest(f"`{path}` must be a URL, or `data:<media type>;base64,` and the data.", param=path)
    return match[1], url[match.end() :]


def _read_cache_breakpoint(breakpoint: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return the neutral form. OpenAI's lifetimes begin at 30 minutes, which the neutral lifetime of 1 hour covers."""
    if breakpoint is None:
        return None
    return {"type": "ephemeral", "ttl": "1h"} if breakpoint.get("ttl") else {"type": "ephemeral"}


def write_content(part: Part, path: str) -> Content:
    """Return a part as content of a user or system message or of a tool result.

    Raises :class:`BadRequest` for a part that has no such form.
    """
    writer = _WRITERS.get(type(part))
    if writer is None:
        kind = type(part).__name__
        raise BadRequest(f"`{path}`: {kind} cannot stand here for an OpenAI Responses target.", param=path)
    return writer(part, path)  # type: ignore[no-any-return]


def _write_text(part: Text, path: str) -> InputText:
    return InputText(part.text)


def _write_refusal(part: Refusal, path: str) -> InputText:
    return InputText(part.text)


def _write_image(part: Image, path: str) -> InputImage:
    detail = part.detail or None
    if part.file_id:
        return InputImage(file_id=part.file_id, detail=detail)
    return InputImage(part.url or f"data:{part.media_type or 'image/png'};base64,{part.data}", detail=detail)


def _write_file(part: File, path: str) -> Content:
    if part.file_id:
        return InputFile(file_id=part.file_id)
    if part.url:
        return InputFile(file_url=part.url)
    if part.text:
        return InputText(f"{part.name}:\n{part.text}" if part.name else part.text)
    media_type = part.media_type or _PDF
    name = part.name or f"document.{_EXTENSIONS.get(media_type, 'bin')}"
    return InputFile(f"data:{media_type};base64,{part.data}", filename=name)


def _write_audio(part: Audio, path: str) -> InputAudio:
    audio_format = _AUDIO_FORMATS.get(part.media_type)
    if not part.data or audio_format is None:
        raise BadRequest(f"`{path}`: an OpenAI Responses target takes audio as base64 wav or mp3 only.", param=path)
    return InputAudio(AudioData(part.data, audio_format))


_WRITERS: dict[type, Any] = {
    Text: _write_text,
    Refusal: _write_refusal,
    Image: _write_image,
    File: _write_file,
    Audio: _write_audio,
}


def write_citation(citation: dict[str, Any], length: int) -> dict[str, Any]:
    """Return a citation as this wire's annotation; ``length`` is the length of the cited text.

    Fields that only another wire has keep their names: clients ignore them, and nothing is lost.
    """
    if is_native(citation):
        return citation
    citation = flatten_citation(citation)  # chat completions count positions in the same text
    if citation.get("start_index") is not None and (page := find_page(citation)) is not None:
        start, end = read_span(citation, length)
        return {"type": "url_citation", **page._asdict(), "start_index": start, "end_index": end}
    title = citation.get("title") or citation.get("document_title") or ""
    if url := citation.get("url") or citation.get("uri"):
        fields = {"type": "url_citation", "url": url, "title": title, "start_index": 0, "end_index": length}
    else:
        file_id = citation.get("file_id") or ""
        fields = {"type": "file_citation", "file_id": file_id, "filename": title, "index": length}
    return {**citation, **fields}


def is_native(citation: dict[str, Any]) -> bool:
    """Return whether a citation is an annotation of this wire."""
    return flatten_citation(citation) is citation and citation.get("type") in _NATIVE_CITATIONS
