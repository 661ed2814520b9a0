"""Citations of text: this wire's own, and what other wires have in their place (guide "Citations")."""

from typing import Any

from antiphon.wires.neutral import Text

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


def shown(citation: dict[str, Any], text: str = "") -> dict[str, Any] | None:
    """Return a citation as clients of this wire read it, or ``None`` where it has no counterpart.

    A page on the web becomes a web search location; ``text`` is the text it stands in, where that is known.
    """
    if citation.get("type") in _OWN:
        return citation
    page = citation.get("url_citation", citation)
    url = page.get("url") if type(page) is dict else None
    if type(url) is not str or not url:
        return None
    start, end = page.get("start_index"), page.get("end_index")
    cited = text[start:end] if type(start) is int and type(end) is int and 0 <= start <= end else ""
    title = page.get("title")
    return {
        "type": "web_search_result_location",
        "url": url,
        "title": title if type(title) is str else None,
        "cited_text": cited,
        "encrypted_index": "",
    }
