"""Citations: ``groundingMetadata`` and ``citationMetadata``, and objects with type, url, title and span.

Spans count UTF-8 bytes on this wire and characters elsewhere (API reference, "Segment": start and end index).
"""

from collections.abc import Sequence
from typing import Any

from antiphon.wires.translation.citations import find_page, read_span, read_title

_SOURCES = ("web", "retrievedContext", "maps", "image")


def read_citations(grounding_metadata: Any, citation_metadata: Any, text: str) -> list[dict[str, Any]]:
    """Return the citations in an answer's ``text``; malformed ones are ignored."""
    citations: list[dict[str, Any]] = []
    if type(grounding_metadata) is dict:
        chunks = _list_objects(grounding_metadata.get("groundingChunks"))
        for support in _list_objects(grounding_metadata.get("groundingSupports")):
            segment = support.get("segment")
            span = _read_byte_span(segment if type(segment) is dict else {}, text)
            citations += [{**_read_source(chunks[index]), **span} for index in _list_indices(support, len(chunks))]
    if type(citation_metadata) is dict:
        for citation in _list_objects(citation_metadata.get("citationSources") or citation_metadata.get("citations")):
            source = {"type": "url_citation", "url": citation.get("uri") or "", "title": citation.get("title") or ""}
            citations.append({**source, **_read_byte_span(citation, text)})
    return citations


def _list_objects(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if type(item) is dict] if type(value) is list else []


def _list_indices(support: dict[str, Any], count: int) -> list[int]:
    indices = support.get("groundingChunkIndices")
    if type(indices) is not list:
        return []
    return [index for index in indices if type(index) is int and 0 <= index < count]


def _read_source(chunk: dict[str, Any]) -> dict[str, Any]:
    source: dict[str, Any] = next((chunk[name] for name in _SOURCES if type(chunk.get(name)) is dict), {})
    url, title = source.get("uri") or "", source.get("title") or ""
    if url:
        return {"type": "url_citation", "url": url, "title": title}
    return {"type": "document_citation", "title": title, "cited_text": source.get("text") or ""}


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


def write_grounding(citations: Sequence[tuple[dict[str, Any], str, int]]) -> dict[str, Any]:
    """Return ``groundingMetadata`` for citations of any wire.

    Each citation comes with its text and the byte offset of that text in the answer.
    """
    chunks: list[dict[str, Any]] = []
    supports: list[dict[str, Any]] = []
    for citation, text, offset in citations:
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
