"""Citations of text: this wire's own, and what other wires have in their place (guide "Citations")."""

from typing import Any

from antiphon.wires.translation.citations import flat, page_of, title_of
from antiphon.wires.translation.neutral import Text

_OWN = frozenset(
    (
        "char_location",
        "page_location",
        "content_block_location",
        "search_result_location",
        "web_search_result_location",
    )
)


def own(text: Text) -> list[dict[str, Any]]:
    """Return the citations that a provider of this wire made, as they came."""
    return [citation for citation in text.citations if citation.get("type") in _OWN]


def _of_file(citation: dict[str, Any]) -> dict[str, Any] | None:
    """Return a citation of a document as one of a search result, which has a source and a title and no other place."""
    title, source = title_of(citation), citation.get("file_id") or citation.get("source")
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


def shown(citation: dict[str, Any], text: str = "") -> dict[str, Any] | None:
    """Return a citation as clients of this wire read it, or ``None`` where it has no counterpart.

    A page on the web becomes a web search location, a document a search result;
    ``text`` is the text it stands in, where that is known.
    """
    if citation.get("type") in _OWN:
        return citation
    page = page_of(citation)
    if page is None:
        return _of_file(citation)
    told = flat(citation)
    start, end = told.get("start_index"), told.get("end_index")
    cited = text[start:end] if type(start) is int and type(end) is int and 0 <= start <= end else ""
    return {
        "type": "web_search_result_location",
        "url": page.url,
        "title": page.title or None,
        "cited_text": cited,
        "encrypted_index": "",
    }
