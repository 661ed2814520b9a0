"""Reading the rows as people write them, and everything that must hold of a row; imported where rows are changed."""

import json
import re
import tomllib
from collections.abc import Iterator
from datetime import date
from typing import Any

import msgspec

from antiphon.catalog import operations
from antiphon.catalog.kinds.kind import Kind, fields
from antiphon.catalog.kinds.load import HERE
from antiphon.catalog.kinds.sources import SOURCES
from antiphon.catalog.kinds.words import CERTAINTY, FEATURES, OPERATIONS, PARAMS, QUIRKS, SECRETS, WIRES

APART = frozenset(("embeddings", "rerank", "images", "speech", "transcriptions", "files", "batches"))
"""What a kind may offer without generating text."""

UPLOADS = frozenset(name for name, row in operations.OPERATIONS.items() if row.body != "json")
"""What has bodies that are never there as a whole."""


def families() -> dict[str, str]:
    """Return the families in order, each with its heading; a family is a file."""
    found: dict[str, str] = tomllib.loads((HERE / "index.toml").read_text("utf-8"))["families"]
    return found


def rows() -> str:
    """Return the rows of all families as JSON, a line for each; raises ``ValueError`` at the first bad one."""
    found: dict[str, dict[str, Any]] = {}
    for family in families():
        for name, row in raw_rows((HERE / f"{family}.toml").read_text("utf-8"), family).items():
            if name in found:
                raise ValueError(f"kind {name}: is in {found[name]['family']}.toml already")
            found[name] = row
    lines = [f"{json.dumps(name)}:{json.dumps(row, ensure_ascii=False)}" for name, row in found.items()]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def parse_kinds(text: str) -> dict[str, Kind]:
    """Return the checked rows of ``text``; raises ``ValueError`` (``msgspec.ValidationError``) at the first bad one."""
    return msgspec.convert(raw_rows(text), dict[str, Kind])


def raw_rows(text: str, family: str = "") -> dict[str, dict[str, Any]]:
    """Return the rows of ``text`` with their names and family, after checking them; raises as :func:`parse_kinds`."""
    found: dict[str, dict[str, Any]] = tomllib.loads(text).get("kinds", {})
    for name, row in found.items():
        row["name"], row["family"] = name, family
        for problem in _problems(msgspec.convert(row, Kind)):
            raise ValueError(f"kind {name}: {problem}")
    return found


def _problems(kind: Kind) -> Iterator[str]:
    yield from _checked(kind)
    yield from _words(kind)
    yield from _credentials(kind)
    yield from _addresses(kind)
    yield from _paths(kind)
    _ = kind.flat_price


def _checked(kind: Kind) -> Iterator[str]:
    try:
        date.fromisoformat(kind.checked)
    except ValueError:
        yield f"`checked` must be the day its documentation was read, and is {kind.checked!r}"


def _words(kind: Kind) -> Iterator[str]:
    known = (
        ("quirks", kind.quirks, QUIRKS),
        ("features", kind.features, FEATURES),
        ("operations", (*kind.operations, *kind.rooted), OPERATIONS),
        ("certainty", (kind.certainty,), CERTAINTY),
        ("wire", (kind.wire,), WIRES),
        ("params", kind.params, PARAMS),
        ("secrets", kind.signing.secrets if kind.signing else (), SECRETS),
        ("identity", (kind.identity.source,) if kind.identity else (), SOURCES),
    )
    for what, used, words in known:
        if unknown := sorted(set(used) - words.keys()):
            yield f"unknown {what}: {', '.join(unknown)}"


def _credentials(kind: Kind) -> Iterator[str]:
    if kind.key == "required" and not kind.env:
        yield "needs a key, but names no environment variable for it"
    if kind.signing is not None and kind.key != "required":
        yield "signs requests, but could do without"
    if kind.identity is not None and kind.key != "required":
        yield "has credentials that are renewed, but could do without"
    if kind.auth[0] != kind.auth[0].lower():
        yield "the header of the key is not in lower case"


def _addresses(kind: Kind) -> Iterator[str]:
    if bool(kind.base_url) == bool(kind.prefix):
        yield "exactly one of base_url and prefix is needed"
    example = dict.fromkeys(kind.params, "x")
    kind.address(example)
    for name, addresses in kind.base_urls.items():
        if name not in kind.params:
            yield f"base_urls names `{name}`, which is no parameter of it"
        for value in addresses:
            kind.address(example | {name: value})


def _paths(kind: Kind) -> Iterator[str]:
    if not kind.operations:
        yield "offers no operation"
    offered = kind.operations.keys() | kind.rooted.keys()
    if WIRES.get(kind.wire) not in offered and not offered <= APART:
        yield f"speaks the wire {kind.wire}, but does not offer {WIRES.get(kind.wire)}"
    for name in offered:
        if name.partition(".")[0] not in offered:
            yield f"offers {name} alone"
        if kind.signing is not None and name in UPLOADS:
            yield f"offers {name}, whose body is streamed, but a signature is made of the whole body"
    for name, pattern in kind.only.items():
        if name not in offered:
            yield f"says which models {name} is for, but does not offer it"
        try:
            re.compile(pattern)
        except re.error as error:
            yield f"`only.{name}` is no pattern: {error}"
    if twice := kind.operations.keys() & kind.rooted.keys():
        yield f"offers {', '.join(twice)} twice"
    for path in (*kind.operations.values(), *kind.rooted.values()):
        if not path.startswith("/"):
            yield f"the path {path!r} does not start with a slash"
    if unknown := kind.needs(None) - kind.params.keys():
        yield f"fills in {', '.join(sorted(unknown))}, which is no parameter of it"
    if unused := kind.params.keys() - kind.needs(None) - set(kind.base_urls):
        yield f"has a parameter {', '.join(sorted(unused))}, which it fills in nowhere"
    if "model" in fields(kind.base_url):
        yield "has the model in its address, which is one for all models"
