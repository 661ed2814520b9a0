"""Citations in answers of chat completions: ``annotations`` (API reference, "The chat completion object").

This wire only has citations of web pages. A citation of a document keeps the form of its original wire, because clients
ignore types that they do not know.
"""

from typing import Any

from antiphon.wires.translation.citations import find_page, read_span


def write_citation(citation: dict[str, Any], offset: int, length: int) -> dict[str, Any]:
    """Return a citation of a text of ``length`` characters that begins at ``offset`` in the message."""
    page = find_page(citation)
    if page is None:
        return citation
    start, end = read_span(citation, length)
    url_citation = {"url": page.url, "title": page.title, "start_index": offset + start, "end_index": offset + end}
    return {"type": "url_citation", "url_citation": url_citation}
