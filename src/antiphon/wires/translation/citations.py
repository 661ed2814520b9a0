"""Citations of any wire, as far as two wires say the same: a page with its title, and the text it stands behind."""

from typing import Any, NamedTuple

Citation = dict[str, Any]


class Page(NamedTuple):
    """A page on the web."""

    url: str
    title: str


def flatten_citation(citation: Citation) -> Citation:
    """Return a citation whose members may be nested under its type, as chat completions have them, flat."""
    nested = citation.get("url_citation")
    return nested if type(nested) is dict else citation


def find_page(citation: Citation) -> Page | None:
    """Return the page a citation names, ``None`` where it names none."""
    told = flatten_citation(citation)
    url = told.get("url") or told.get("uri")
    return Page(url, read_title(told)) if type(url) is str and url else None


def read_title(citation: Citation) -> str:
    """Return the title of what a citation names, ``""`` for none."""
    title = citation.get("title") or citation.get("document_title") or citation.get("filename")
    return title if type(title) is str else ""


def read_span(citation: Citation, length: int) -> tuple[int, int]:
    """Return the characters of a text of ``length`` that a citation says it covers, or all of them."""
    told = flatten_citation(citation)
    start, end = told.get("start_index"), told.get("end_index")
    if type(start) is int and type(end) is int and 0 <= start <= end <= length:
        return start, end
    return 0, length
