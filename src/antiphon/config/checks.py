"""Checks a whole configuration in one pass: one fault for each mistake, with its line.

Each provider and each model is validated separately, so that one fault does not hide another. A part that depends on
a faulty one does not report the same mistake again.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path as FilePath
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from antiphon.catalog.address import is_loopback
from antiphon.config.document import Document, Path
from antiphon.config.messages import explain_error, name_type
from antiphon.config.model_checks import ModelChecker
from antiphon.config.provider_checks import ProviderChecker
from antiphon.config.schema import File, ModelBlock, ProviderBlock, SettingsBlock

UNAVAILABLE: Mapping[tuple[str, ...], str] = {
    ("database",): "a database other than the SQLite file in `data`",
    ("redis",): "Redis",
    ("panels",): "panels",
    ("models", "*", "on_break"): "`on_break`",
}
"""Keys that are reserved in the format, but have no effect in this version."""
UNAVAILABLE_STRATEGIES = ("fastest", "cheapest", "least-busy")
OPTIONAL_MAPPINGS: frozenset[tuple[str, ...]] = frozenset(
    (
        *(("server",), ("timeouts",), ("tls",), ("longtail",), ("providers",), ("models",)),
        *(("providers", "*"), ("providers", "*", "timeouts"), ("providers", "*", "params")),
    )
)
"""Keys for which no value means an empty mapping; for any other key a missing value is a fault."""

Part = TypeVar("Part", bound=BaseModel)


class CheckedBlocks:
    """The blocks of a document that have no fault."""

    def __init__(self) -> None:
        self.settings: SettingsBlock | None = None
        self.providers: dict[str, ProviderBlock] = {}
        self.models: dict[str, ModelBlock] = {}


def check(document: Document, environ: Mapping[str, str]) -> CheckedBlocks:
    """Return the blocks of ``document``, and add every fault found to ``document.faults``."""
    return _Checker(document, environ).run()


class _Checker:
    def __init__(self, document: Document, environ: Mapping[str, str]) -> None:
        self._document = document
        self._environ = environ
        self._values = document.values
        self._blocks = CheckedBlocks()

    def run(self) -> CheckedBlocks:
        self._refuse_unavailable()
        self._fill_empty(self._values, ())
        blocks = self._blocks
        settings = {key: value for key, value in self._values.items() if key not in ("providers", "models")}
        blocks.settings = self._validate(SettingsBlock, settings, ())
        self._check_settings(settings)
        provider_checker = ProviderChecker(self._document, self._environ)
        for name, value in self._read_section("providers"):
            provider = self._validate(ProviderBlock, value, ("providers", name))
            if provider_checker.check(name, value, provider) and provider is not None:
                blocks.providers[name] = provider
        for name, value in self._read_section("models"):
            path = ("models", name)
            mapping = {"targets": [value]} if isinstance(value, str) else value
            if not isinstance(mapping, dict):
                self._add_fault(path, f"expected `provider/model` or a mapping, found {name_type(value)}")
            elif (model := self._validate(ModelBlock, mapping, path)) is not None:
                blocks.models[name] = model
        ModelChecker(self._document, blocks.models, blocks.providers).check()
        return blocks

    # -- parts ------------------------------------------------------------------------------------------------------

    def _read_section(self, name: str) -> Iterator[tuple[str, Any]]:
        section = self._values.get(name)
        if section is not None and not isinstance(section, dict):
            self._add_fault((name,), f"expected a mapping of names, found {name_type(section)}")
            return
        yield from (section or {}).items()

    def _refuse_unavailable(self) -> None:
        for pattern, feature in UNAVAILABLE.items():
            for path, parent in _find_matches(self._values, pattern):
                if not self._document.is_faulty(path):
                    self._add_fault(path, f"{feature} is not available in this version", "remove it")
                del parent[str(path[-1])]
        for path, parent in _find_matches(self._values, ("models", "*", "strategy")):
            if parent["strategy"] in UNAVAILABLE_STRATEGIES:
                problem = f"the strategy `{parent['strategy']}` is not available in this version"
                self._add_fault(path, problem, "use `weighted` or `order`")
                del parent["strategy"]

    def _fill_empty(self, node: Any, path: Path) -> None:
        items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
        for key, value in list(items):
            item_path = (*path, key)
            if value is not None:
                self._fill_empty(value, item_path)
            elif _make_pattern(item_path) in OPTIONAL_MAPPINGS:
                node[key] = {}
            elif not self._document.is_faulty(item_path):
                self._add_fault(item_path, "has no value", "give it one or remove the key")

    def _validate(self, model: type[Part], value: Any, path: Path) -> Part | None:
        try:
            return model.model_validate(value)
        except ValidationError as validation:
            for error in validation.errors(include_url=False):
                error_path = (*path, *error["loc"])
                if not self._document.is_faulty(error_path):
                    self._add_fault(error_path, *explain_error(error, model if path else File))
            return None

    # -- settings ---------------------------------------------------------------------------------------------------

    def _check_settings(self, settings: dict[str, Any]) -> None:
        server = settings.get("server")
        host = server.get("host", "127.0.0.1") if isinstance(server, dict) else None
        if isinstance(host, str) and server is not None and server.get("auth") == "open" and not is_loopback(host):
            problem = f"`open` admits every caller, so the host must be a loopback address, but it is {host}"
            self._add_fault(("server", "auth"), problem, "use `auth: keys`, or `host: 127.0.0.1`")
        tls = settings.get("tls")
        file = tls.get("ca_file") if isinstance(tls, dict) else None
        if isinstance(file, str) and file and not FilePath(file).is_file():
            hint = "paths are relative to the working directory"
            self._add_fault(("tls", "ca_file"), f"there is no file {file}", hint)

    def _add_fault(self, path: Path, problem: str, hint: str = "") -> None:
        self._document.add_fault(path, problem, hint)


def _find_matches(values: dict[str, Any], pattern: tuple[str, ...]) -> list[tuple[Path, dict[str, Any]]]:
    """Return the paths that match ``pattern`` (``*`` is any key), each with the mapping that contains its last key."""
    matches: list[tuple[Path, Any, Any]] = [((), values, None)]
    for part in pattern:
        matches = [
            ((*path, key), node[key], node)
            for path, node, _ in matches
            if isinstance(node, dict)
            for key in (list(node) if part == "*" else [part] if part in node else [])
        ]
    return [(path, parent) for path, _, parent in matches]


def _make_pattern(path: Path) -> tuple[str, ...]:
    """Return ``path`` with the names that people choose replaced by ``*``."""
    return tuple(
        "*" if number == 1 and path[0] in ("providers", "models") else str(part) for number, part in enumerate(path)
    )
