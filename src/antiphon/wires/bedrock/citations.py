"""Citations of Converse (API reference, "Citation", "CitationLocation") and the objects they travel as between wires.

Converse names a place in a document in five ways. Four of them are the Messages API's own, under other names, so they
travel in that API's spelling, which is the one other wires know; the fifth is a web page.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

from antiphon.wires.translation.citations import page_of, title_of

Citation = dict[str, Any]


class _Place(NamedTuple):
    type: str
    number: tuple[str, str]
    start: str
    end: str


_PLACES = {
    "documentChar": _Place("char_location", ("documentIndex", "document_index"), "start_char_index", "end_char_index"),
    "documentPage": _Place(
        "page_location", ("documentIndex", "document_index"), "start_page_number", "end_page_number"
    ),
    "documentChunk": _Place(
        "content_block_location", ("documentIndex", "document_index"), "start_block_index", "end_block_index"
    ),
    "searchResultLocation": _Place(
        "search_result_location", ("searchResultIndex", "search_result_index"), "start_block_index", "end_block_index"
    ),
}
_BY_TYPE = {place.type: (name, place) for name, place in _PLACES.items()}
_WEB = "web_search_result_location"


def read(citation: Citation) -> Citation:
    """Return a Converse citation as it travels; members of a wrong type are left out."""
    out: Citation = {"type": "citation", "cited_text": _joined(citation.get("sourceContent"))}
    title, source, location = citation.get("title"), citation.get("source"), citation.get("location")
    name, value = next(iter(location.items()), ("", None)) if type(location) is dict else ("", None)
    if type(value) is dict and name in _PLACES:
        place = _PLACES[name]
        out["type"] = place.type
        out[place.number[1]], out[place.start], out[place.end] = (
            value.get(place.number[0], 0),
            value.get("start", 0),
            value.get("end", 0),
        )
    elif type(value) is dict and type(value.get("url")) is str:
        out["type"], out["url"] = _WEB, value["url"]
    if type(title) is str:
        out["document_title" if "document_index" in out else "title"] = title
    if type(source) is str:
        out["source"] = source
    return out


def write(citation: Citation) -> Citation:
    """Return a citation of any wire as Converse has it: what it tells of title, text and place."""
    out: Citation = {}
    page = page_of(citation)
    if title := page.title if page is not None else title_of(citation):
        out["title"] = title
    source = citation.get("source") or citation.get("file_id")
    if type(source) is str:
        out["source"] = source
    if type(text := citation.get("cited_text")) is str and text:
        out["sourceContent"] = [{"text": text}]
    if page is not None:
        out["location"] = {"web": {"url": page.url}}
    elif (found := _BY_TYPE.get(str(citation.get("type")))) is not None:
        name, place = found
        values = {"start": citation.get(place.start), "end": citation.get(place.end)}
        values[place.number[0]] = citation.get(place.number[1])
        out["location"] = {name: {key: value for key, value in values.items() if type(value) is int}}
    return out


def write_all(citations: Iterable[Citation]) -> list[Citation]:
    """Return several citations as Converse has them."""
    return [write(citation) for citation in citations]


def _joined(content: Any) -> str:
    parts = content if type(content) is list else ()
    return "".join(str(part["text"]) for part in parts if type(part) is dict and type(part.get("text")) is str)
