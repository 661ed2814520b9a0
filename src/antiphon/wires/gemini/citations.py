"""Citations: ``groundingMetadata`` and ``citationMetadata``, and objects with type, url, title and span.

Spans count UTF-8 bytes on this wire and characters elsewhere (API reference, "Segment": start and end index).
"""

from collections.abc import Sequence
from typing import Any

from antiphon.wires.translation.citations import find_page, read_span, read_title

_SOURCES = ("web", "retrievedContext", "maps", "image")


def read_citations(grounding: Any, cited: Any, text: str) -> list[dict[str, Any]]:
    """Return the citations in an answer's ``text``; malformed ones are ignored."""
    found: list[dict[str, Any]] = []
    if type(grounding) is dict:
        chunks = _list_objects(grounding.get("groundingChunks"))
        for support in _list_objects(grounding.get("groundingSupports")):
            segment = support.get("segment")
            span = _read_byte_span(segment if type(segment) is dict else {}, text)
            found += [{**_read_source(chunks[index]), **span} for index in _list_indices(support, len(chunks))]
    if type(cited) is dict:
        for citation in _list_objects(cited.get("citationSources") or cited.get("citations")):
            source = {"type": "url_citation", "url": citation.get("uri") or "", "title": citation.get("title") or ""}
            found.append({**source, **_read_byte_span(citation, text)})
    return found


def _list_objects(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if type(item) is dict] if type(value) is list else []


def _list_indices(support: dict[str, Any], count: int) -> list[int]:
    named = support.get("groundingChunkIndices")
    known: list[Any] = named if type(named) is list else []
    return [index for index in known if type(index) is int and 0 <= index < count]


def _read_source(chunk: dict[str, Any]) -> dict[str, Any]:
    known: dict[str, Any] = next((chunk[name] for name in _SOURCES if type(chunk.get(name)) is dict), {})
    url, title = known.get("uri") or "", known.get("title") or ""
    if url:
        return {"type": "url_citation", "url": url, "title": title}
    return {"type": "document_citation", "title": title, "cited_text": known.get("text") or ""}


def _read_byte_span(segment: dict[str, Any], text: str) -> dict[str, int]:
    start, end = segment.get("startIndex") or 0, segment.get("endIndex")
    if type(start) is not int or type(end) is not int or not 0 <= start <= end:
        return {"start_index": 0, "end_index": len(text)}
    if text.isascii():
        return {"start_index": min(start, len(text)), "end_index": min(end, len(text))}
    raw = text.encode("utf-8", "replace")
    return {
        "start_index": len(raw[:start].decode("utf-8", "ignore")),
        "end_index": len(raw[:end].decode("utf-8", "ignore")),
    }


def write_grounding(cited: Sequence[tuple[dict[str, Any], str, int]]) -> dict[str, Any]:
    """Return ``groundingMetadata`` for citations of any wire.

    Each comes with the text it belongs to, and the byte of the answer where that text starts.
    """
    chunks: list[dict[str, Any]] = []
    supports: list[dict[str, Any]] = []
    for citation, text, offset in cited:
        chunk = _write_chunk(citation)
        if chunk not in chunks:
            chunks.append(chunk)
        start, end = read_span(citation, len(text))
        segment = {
            "startIndex": offset + len(text[:start].encode("utf-8", "replace")),
            "endIndex": offset + len(text[:end].encode("utf-8", "replace")),
            "text": text[start:end],
        }
        supports.append({"segment": segment, "groundingChunkIndices": [chunks.index(chunk)]})
    return {"groundingChunks": chunks, "groundingSupports": supports}


def _write_chunk(citation: dict[str, Any]) -> dict[str, Any]:
    if (page := find_page(citation)) is not None:
        return {"web": {"uri": page.url, "title": page.title}}
    context = {"title": read_title(citation), "text": str(citation.get("cited_text") or "")}
    return {"retrievedContext": {**context, "uri": citation["file_id"]} if citation.get("file_id") else context}
