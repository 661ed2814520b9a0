"""Citations of Converse (API reference, "Citation", "CitationLocation") to the neutral form and back.

Converse has five kinds of location. Four of them are those of the Messages API under other names; the neutral form uses
the names of the Messages API, which other wires know. The fifth is a web page.
"""

from typing import Any, NamedTuple

from antiphon.wires.translation.citations import find_page, read_title

Citation = dict[str, Any]


class _Location(NamedTuple):
    """The neutral type of a location and the names of its members; ``number`` is Converse's name, then the neutral."""

    type: str
    number: tuple[str, str]
    start: str
    end: str


_LOCATIONS = {
    "documentChar": _Location(
        "char_location", ("documentIndex", "document_index"), "start_char_index", "end_char_index"
    ),
    "documentPage": _Location(
        "page_location", ("documentIndex", "document_index"), "start_page_number", "end_page_number"
    ),
    "documentChunk": _Location(
        "content_block_location", ("documentIndex", "document_index"), "start_block_index", "end_block_index"
    ),
    "searchResultLocation": _Location(
        "search_result_location", ("searchResultIndex", "search_result_index"), "start_block_index", "end_block_index"
    ),
}
_BY_TYPE = {location.type: (name, location) for name, location in _LOCATIONS.items()}
_WEB = "web_search_result_location"


def read_citation(citation: Citation) -> Citation:
    """Return a Converse citation in the neutral form; members of a wrong type are left out."""
    result: Citation = {"type": "citation", "cited_text": _join_texts(citation.get("sourceContent"))}
    title, source, location = citation.get("title"), citation.get("source"), citation.get("location")
    name, value = next(iter(location.items()), ("", None)) if type(location) is dict else ("", None)
    if type(value) is dict and name in _LOCATIONS:
        names = _LOCATIONS[name]
        result["type"] = names.type
        result[names.number[1]] = value.get(names.number[0], 0)
        result[names.start], result[names.end] = value.get("start", 0), value.get("end", 0)
    elif type(value) is dict and type(value.get("url")) is str:
        result["type"], result["url"] = _WEB, value["url"]
    if type(title) is str:
        result["document_title" if "document_index" in result else "title"] = title
    if type(source) is str:
        result["source"] = source
    return result


def write_citation(citation: Citation) -> Citation:
    """Return a citation of any wire as Converse has it: its title, text and location."""
    result: Citation = {}
    page = find_page(citation)
    if title := page.title if page is not None else read_title(citation):
        result["title"] = title
    source = citation.get("source") or citation.get("file_id")
    if type(source) is str:
        result["source"] = source
    if type(text := citation.get("cited_text")) is str and text:
        result["sourceContent"] = [{"text": text}]
    if page is not None:
        result["location"] = {"web": {"url": page.url}}
    elif (entry := _BY_TYPE.get(str(citation.get("type")))) is not None:
        name, names = entry
        values = {"start": citation.get(names.start), "end": citation.get(names.end)}
        values[names.number[0]] = citation.get(names.number[1])
        result["location"] = {name: {key: value for key, value in values.items() if type(value) is int}}
    return result


def _join_texts(content: Any) -> str:
    parts = content if type(content) is list else ()
    return "".join(str(part["text"]) for part in parts if type(part) is dict and type(part.get("text")) is str)
