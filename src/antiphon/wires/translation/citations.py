"""The part of a citation that wires have in common: a page with its title, and the text that cites it."""

from typing import Any, NamedTuple

Citation = dict[str, Any]


class Page(NamedTuple):
    """A page on the web."""

    url: str
    title: str


def flatten_citation(citation: Citation) -> Citation:
    """Return a citation without the nesting under its type that chat completions use."""
    nested = citation.get("url_citation")
    return nested if type(nested) is dict else citation


def find_page(citation: Citation) -> Page | None:
    """Return the page that a citation names, or ``None``."""
    flat = flatten_citation(citation)
    url = flat.get("url") or flat.get("uri")
    return Page(url, read_title(flat)) if type(url) is str and url else None


def read_title(citation: Citation) -> str:
    """Return the title of the page or document that a citation names, or ``""``."""
    title = citation.get("title") or citation.get("document_title") or citation.get("filename")
    return title if type(title) is str else ""


def read_span(citation: Citation, length: int) -> tuple[int, int]:
    """Return the start and end of the cited characters in a text of ``length``; without a valid span, all of it."""
    flat = flatten_citation(citation)
    start, end = flat.get("start_index"), flat.get("end_index")
    if type(start) is int and type(end) is int and 0 <= start <= end <= length:
        return start, end
    return 0, length
