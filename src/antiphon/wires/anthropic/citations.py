"""Citations of a text: those of this wire, and their counterparts for those of other wires (guide "Citations")."""

from typing import Any

from antiphon.wires.translation.citations import find_page, flatten_citation, read_title
from antiphon.wires.translation.neutral import Text

_TYPES = frozenset(
    (
        "char_location",
        "page_location",
        "content_block_location",
        "search_result_location",
        "web_search_result_location",
    )
)


def list_own_citations(text: Text) -> list[dict[str, Any]]:
    """Return the citations that a provider of this wire made, unchanged."""
    return [citation for citation in text.citations if citation.get("type") in _TYPES]


def write_citation(citation: dict[str, Any], text: str = "") -> dict[str, Any] | None:
    """Return a citation in this wire's form, or ``None`` if it has no counterpart.

    A web page becomes a web search location, a document becomes a search result. ``text`` is the text that has the
    citation, if it is known.
    """
    if citation.get("type") in _TYPES:
        return citation
    page = find_page(citation)
    if page is None:
        return _write_document_citation(citation)
    members = flatten_citation(citation)
    start, end = members.get("start_index"), members.get("end_index")
    cited_text = text[start:end] if type(start) is int and type(end) is int and 0 <= start <= end else ""
    return {
        "type": "web_search_result_location",
        "url": page.url,
        "title": page.title or None,
        "cited_text": cited_text,
        "encrypted_index": "",
    }


def _write_document_citation(citation: dict[str, Any]) -> dict[str, Any] | None:
    """Return a citation of a document as one of a search result, which needs only a source and a title."""
    title, source = read_title(citation), citation.get("file_id") or citation.get("source")
    if not title and not source:
        return None
    return {
        "type": "search_result_location",
        "cited_text": str(citation.get("cited_text") or ""),
        "source": str(source or title),
        "title": title,
        "search_result_index": 0,
        "start_block_index": 0,
        "end_block_index": 0,
    }
