"""Parses the rows from TOML and checks everything that must hold for a row; imported only to change rows."""

import json
import re
import tomllib
from collections.abc import Iterator
from datetime import date
from typing import Any

import msgspec

from antiphon.catalog.kinds.credential_sources import CREDENTIAL_SOURCES
from antiphon.catalog.kinds.kind import Kind, list_placeholders
from antiphon.catalog.kinds.load import HERE
from antiphon.catalog.kinds.vocabulary import CERTAINTY, FEATURES, OPERATIONS, PARAMS, QUIRKS, SECRETS, WIRES
from antiphon.catalog.operations import OPERATIONS as RELAYED

STANDALONE_OPERATIONS = frozenset(("embeddings", "rerank", "images", "speech", "transcriptions", "files", "batches"))
"""What a kind may offer without generating text."""

UPLOADS = frozenset(name for name, row in RELAYED.items() if row.body != "json")
"""Operations whose body is streamed and never held in memory as a whole."""


def load_families() -> dict[str, str]:
    """Return the families in order, each with its heading; a family is a file."""
    families: dict[str, str] = tomllib.loads((HERE / "index.toml").read_text("utf-8"))["families"]
    return families


def build_rows() -> str:
    """Return the rows of all families as JSON, one line each; raises ``ValueError`` at the first bad one."""
    rows: dict[str, dict[str, Any]] = {}
    for family in load_families():
        for name, row in parse_rows((HERE / f"{family}.toml").read_text("utf-8"), family).items():
            if name in rows:
                raise ValueError(f"kind {name}: {rows[name]['family']}.toml already has it")
            rows[name] = row
    lines = [f"{json.dumps(name)}:{json.dumps(row, ensure_ascii=False)}" for name, row in rows.items()]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def parse_kinds(text: str) -> dict[str, Kind]:
    """Return the checked rows of ``text``; raises ``ValueError`` (``msgspec.ValidationError``) at the first bad one."""
    return msgspec.convert(parse_rows(text), dict[str, Kind])


def parse_rows(text: str, family: str = "") -> dict[str, dict[str, Any]]:
    """Return the rows of ``text`` with their names and family, after checking them; raises as :func:`parse_kinds`."""
    rows: dict[str, dict[str, Any]] = tomllib.loads(text).get("kinds", {})
    for name, row in rows.items():
        row["name"], row["family"] = name, family
        for problem in _find_problems(msgspec.convert(row, Kind)):
            raise ValueError(f"kind {name}: {problem}")
    return rows


def _find_problems(kind: Kind) -> Iterator[str]:
    yield from _check_date(kind)
    yield from _check_vocabulary(kind)
    yield from _check_credentials(kind)
    yield from _check_addresses(kind)
    yield from _check_operations(kind)
    yield from _check_paths(kind)
    _ = kind.flat_price


def _check_date(kind: Kind) -> Iterator[str]:
    try:
        date.fromisoformat(kind.checked)
    except ValueError:
        yield f"`checked` must be the day its documentation was read, but is {kind.checked!r}"


def _check_vocabulary(kind: Kind) -> Iterator[str]:
    known = (
        ("quirks", kind.quirks, QUIRKS),
        ("features", kind.features, FEATURES),
        ("operations", (*kind.operations, *kind.root_operations), OPERATIONS),
        ("certainty", (kind.certainty,), CERTAINTY),
        ("wire", (kind.wire,), WIRES),
        ("params", kind.params, PARAMS),
        ("secrets", kind.signing.secrets if kind.signing else (), SECRETS),
        ("identity", (kind.identity.source,) if kind.identity else (), CREDENTIAL_SOURCES),
    )
    for field, used, words in known:
        if unknown := sorted(set(used) - words.keys()):
            yield f"unknown {field}: {', '.join(unknown)}"


def _check_credentials(kind: Kind) -> Iterator[str]:
    if kind.key == "required" and not kind.env:
        yield "needs a key, but names no environment variable for it"
    if kind.signing is not None and kind.key != "required":
        yield "signs requests, but its key is not required"
    if kind.identity is not None and kind.key != "required":
        yield "has credentials that are renewed, but its key is not required"
    if kind.auth[0] != kind.auth[0].lower():
        yield "the header of the key is not in lower case"


def _check_addresses(kind: Kind) -> Iterator[str]:
    if bool(kind.base_url) == bool(kind.prefix):
        yield "exactly one of base_url and prefix is needed"
    example = dict.fromkeys(kind.params, "x")
    kind.find_address(example)
    for name, addresses in kind.base_urls.items():
        if name not in kind.params:
            yield f"base_urls names `{name}`, which is not one of its params"
        for value in addresses:
            kind.find_address(example | {name: value})


def _check_operations(kind: Kind) -> Iterator[str]:
    if not kind.operations:
        yield "offers no operation"
    offered = kind.operations.keys() | kind.root_operations.keys()
    if WIRES.get(kind.wire) not in offered and not offered <= STANDALONE_OPERATIONS:
        yield f"speaks the wire {kind.wire}, but does not offer {WIRES.get(kind.wire)}"
    for name in offered:
        if name.partition(".")[0] not in offered:
            yield f"offers {name} without its main operation"
        if kind.signing is not None and name in UPLOADS:
            yield f"offers {name}, whose body is streamed, but a signature needs the whole body"
    for name, pattern in kind.model_patterns.items():
        if name not in offered:
            yield f"has a model pattern for {name}, but does not offer it"
        try:
            re.compile(pattern)
        except re.error as error:
            yield f"`model_patterns.{name}` is not a pattern: {error}"
    if twice := kind.operations.keys() & kind.root_operations.keys():
        yield f"offers {', '.join(twice)} twice"


def _check_paths(kind: Kind) -> Iterator[str]:
    for path in (*kind.operations.values(), *kind.root_operations.values()):
        if not path.startswith("/"):
            yield f"the path {path!r} does not start with a slash"
    required = kind.list_required_params(None)
    if unknown := required - kind.params.keys():
        yield f"uses {', '.join(sorted(unknown))}, which is not one of its params"
    if unused := kind.params.keys() - required - set(kind.base_urls):
        yield f"has a parameter {', '.join(sorted(unused))} that it does not use"
    if "model" in list_placeholders(kind.base_url):
        yield "has the model in its address, which is the same for all models"
