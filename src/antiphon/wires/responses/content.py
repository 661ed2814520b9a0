"""The content of messages and tool results: text, images, files, sound, refusals (API reference, "Input items")."""

import re
from typing import Any, TypeAlias

import msgspec

from antiphon.errors import BadRequest
from antiphon.wires.translation.citations import flat, page_of, span_of
from antiphon.wires.translation.neutral import Audio, File, Image, Part, Refusal, Text

_DATA_URL = re.compile(r"data:([\w.+-]+/[\w.+-]+)(?:;[\w=.-]+)*;base64,", re.ASCII)
_SOUNDS = {"wav": "audio/wav", "mp3": "audio/mpeg"}
_SOUND_FORMATS = {
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
_ENDINGS = {media_type: ending for ending, media_type in _MEDIA_TYPES.items()}
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


class Sound(msgspec.Struct):
    data: str
    format: str


class InputAudio(msgspec.Struct, tag="input_audio"):
    input_audio: Sound


Content: TypeAlias = InputText | OutputText | RefusalText | InputImage | InputFile | InputAudio
Block: TypeAlias = Text | Image | File


def read_contents(contents: str | list[Content], at: str) -> tuple[Part, ...]:
    """Return the parts of a message's or a tool result's content; ``at`` is its path."""
    if isinstance(contents, str):
        return (Text(contents),)
    return tuple(_READERS[type(content)](content, f"{at}[{i}]") for i, content in enumerate(contents))


def _read_text(content: InputText, at: str) -> Text:
    return Text(content.text, _cache(content.prompt_cache_breakpoint))


def _read_output(content: OutputText, at: str) -> Text:
    return Text(content.text, citations=tuple(cited for cited in content.annotations or () if "type" in cited))


def _read_refusal(content: RefusalText, at: str) -> Refusal:
    return Refusal(content.refusal)


def _read_image(content: InputImage, at: str) -> Image:
    detail, cache = content.detail or "", _cache(content.prompt_cache_breakpoint)
    if content.file_id:
        return Image(file_id=content.file_id, detail=detail, cache=cache)
    if not (url := content.image_url):
        raise BadRequest(f"`{at}` needs `image_url` or `file_id`.", param=at)
    if not url.startswith("data:"):
        return Image(url=url, detail=detail, cache=cache)
    media_type, data = _data_url(url, f"{at}.image_url")
    return Image(data=data, media_type=media_type, detail=detail, cache=cache)


def _read_file(content: InputFile, at: str) -> File:
    name, cache = content.filename or "", _cache(content.prompt_cache_breakpoint)
    if content.file_id:
        return File(file_id=content.file_id, name=name, cache=cache)
    if content.file_url:
        return File(url=content.file_url, name=name, cache=cache)
    if not (data := content.file_data):
        raise BadRequest(f"`{at}` needs `file_data`, `file_url` or `file_id`.", param=at)
    media_type = _MEDIA_TYPES.get(name.rpartition(".")[2].lower(), _PDF)
    if data.startswith("data:"):
        media_type, data = _data_url(data, f"{at}.file_data")
    return File(data=data, media_type=media_type, name=name, cache=cache)


def _read_audio(content: InputAudio, at: str) -> Audio:
    media_type = _SOUNDS.get(content.input_audio.format)
    if media_type is None:
        raise BadRequest(f"`{at}.input_audio.format` must be wav or mp3.", param=f"{at}.input_audio.format")
    return Audio(content.input_audio.data, media_type)


_READERS: dict[type, Any] = {
    InputText: _read_text,
    OutputText: _read_output,
    RefusalText: _read_refusal,
    InputImage: _read_image,
    InputFile: _read_file,
    InputAudio: _read_audio,
}


def _data_url(url: str, at: str) -> tuple[str, str]:
    match = _DATA_URL.match(url)
    if match is None:
        raise BadRequest(f"`{at}` must be a URL, or `data:<media type>;base64,` and the data.", param=at)
    return match[1], url[match.end() :]


def _cache(breakpoint: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return the mark in its neutral form. OpenAI's lifetimes start at 30 minutes; the shortest that holds is 1 h."""
    if breakpoint is None:
        return None
    return {"type": "ephemeral", "ttl": "1h"} if breakpoint.get("ttl") else {"type": "ephemeral"}


def write_content(part: Part, at: str) -> Content:
    """Return what a user's or system's message, or a tool result, holds for a part.

    Raises :class:`BadRequest` for what has no place there.
    """
    writer = _WRITERS.get(type(part))
    if writer is None:
        raise BadRequest(f"`{at}`: {type(part).__name__} cannot stand here for an OpenAI Responses target.", param=at)
    return writer(part, at)  # type: ignore[no-any-return]


def _write_text(part: Text, at: str) -> InputText:
    return InputText(part.text)


def _write_refusal(part: Refusal, at: str) -> InputText:
    return InputText(part.text)


def _write_image(part: Image, at: str) -> InputImage:
    detail = part.detail or None
    if part.file_id:
        return InputImage(file_id=part.file_id, detail=detail)
    return InputImage(part.url or f"data:{part.media_type or 'image/png'};base64,{part.data}", detail=detail)


def _write_file(part: File, at: str) -> Content:
    if part.file_id:
        return InputFile(file_id=part.file_id)
    if part.url:
        return InputFile(file_url=part.url)
    if part.text:
        return InputText(f"{part.name}:\n{part.text}" if part.name else part.text)
    media_type = part.media_type or _PDF
    name = part.name or f"document.{_ENDINGS.get(media_type, 'bin')}"
    return InputFile(f"data:{media_type};base64,{part.data}", filename=name)


def _write_audio(part: Audio, at: str) -> InputAudio:
    form = _SOUND_FORMATS.get(part.media_type)
    if not part.data or form is None:
        raise BadRequest(f"`{at}`: an OpenAI Responses target takes sound as base64 wav or mp3 only.", param=at)
    return InputAudio(Sound(part.data, form))


_WRITERS: dict[type, Any] = {
    Text: _write_text,
    Refusal: _write_refusal,
    Image: _write_image,
    File: _write_file,
    Audio: _write_audio,
}


def write_citation(citation: dict[str, Any], length: int) -> dict[str, Any]:
    """Return a citation as this wire's annotation; ``length`` is how long the cited text is.

    What another wire tells beyond that stays under its own names: no client minds, and nothing is lost.
    """
    if is_native(citation):
        return citation
    citation = flat(citation)  # positions of another API's same citation count in the same text
    if citation.get("start_index") is not None and (page := page_of(citation)) is not None:
        start, end = span_of(citation, length)
        return {"type": "url_citation", **page._asdict(), "start_index": start, "end_index": end}
    title = citation.get("title") or citation.get("document_title") or ""
    if url := citation.get("url") or citation.get("uri"):
        own = {"type": "url_citation", "url": url, "title": title, "start_index": 0, "end_index": length}
    else:
        file = citation.get("file_id") or ""
        own = {"type": "file_citation", "file_id": file, "filename": title, "index": length}
    return {**citation, **own}


def is_native(citation: dict[str, Any]) -> bool:
    """Whether a citation is an annotation of this wire, with positions of its own."""
    return flat(citation) is citation and citation.get("type") in _NATIVE_CITATIONS
