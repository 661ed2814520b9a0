"""Everything that can be wrong with a configuration, found in one pass: one fault for each, with its line.

Each provider and each model is validated by itself, so that one fault does not hide another; what already has a fault
is not reported again by what depends on it.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path as FilePath
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from antiphon.catalog.address import is_loopback
from antiphon.config.document import Document, Path
from antiphon.config.explain import explain, found
from antiphon.config.model_checks import ModelsCheck
from antiphon.config.provider_checks import ProviderCheck
from antiphon.config.schema import File, ModelBlock, ProviderBlock, SettingsBlock

LATER: Mapping[tuple[str, ...], str] = {
    ("database",): "a database other than the SQLite file in `data`",
    ("redis",): "Redis",
    ("panels",): "panels",
    ("models", "*", "on_break"): "`on_break`",
}
LATER_STRATEGIES = ("fastest", "cheapest", "least-busy")
EMPTY_IS_A_MAPPING: frozenset[tuple[str, ...]] = frozenset(
    (
        *(("server",), ("timeouts",), ("tls",), ("longtail",), ("providers",), ("models",)),
        *(("providers", "*"), ("providers", "*", "timeouts"), ("providers", "*", "params")),
    )
)
"""Where a key with nothing behind it is an empty mapping; anywhere else it is a fault."""

Part = TypeVar("Part", bound=BaseModel)


class Checked:
    """What a document says once it is checked; a part with a fault is absent."""

    def __init__(self) -> None:
        self.settings: SettingsBlock | None = None
        self.providers: dict[str, ProviderBlock] = {}
        self.models: dict[str, ModelBlock] = {}


def check(document: Document, environ: Mapping[str, str]) -> Checked:
    """Return what ``document`` says, adding every fault found to ``document.faults``."""
    return _Check(document, environ).run()


class _Check:
    def __init__(self, document: Document, environ: Mapping[str, str]) -> None:
        self._document = document
        self._environ = environ
        self._values = document.values
        self._checked = Checked()

    def run(self) -> Checked:
        self._later()
        self._fill_empty(self._values, ())
        rest = {key: value for key, value in self._values.items() if key not in ("providers", "models")}
        checked = self._checked
        checked.settings = self._validate(SettingsBlock, rest, ())
        self._settings(rest)
        accounts = ProviderCheck(self._document, self._environ)
        for name, value in self._section("providers"):
            block = self._validate(ProviderBlock, value, ("providers", name))
            if accounts.check(name, value, block) and block is not None:
                checked.providers[name] = block
        for name, value in self._section("models"):
            path = ("models", name)
            whole = {"targets": [value]} if isinstance(value, str) else value
            if isinstance(whole, dict) and (model := self._validate(ModelBlock, whole, path)) is not None:
                checked.models[name] = model
            elif not isinstance(whole, dict):
                self._fault(path, f"expected `provider/model` or a mapping, found {found(value)}")
        ModelsCheck(self._document, checked.models, checked.providers).check()
        return checked

    # -- parts ------------------------------------------------------------------------------------------------------

    def _section(self, name: str) -> Iterator[tuple[str, Any]]:
        section = self._values.get(name)
        if section is not None and not isinstance(section, dict):
            self._fault((name,), f"expected a mapping of names, found {found(section)}")
            return
        yield from (section or {}).items()

    def _later(self) -> None:
        """Refuse what the format has room for, but this version does not do."""
        for pattern, what in LATER.items():
            for path, parent in _matches(self._values, pattern):
                if not self._document.is_faulty(path):
                    self._fault(path, f"{what} is not available in this version", "remove it")
                del parent[str(path[-1])]
        for path, parent in _matches(self._values, ("models", "*", "strategy")):
            if parent["strategy"] in LATER_STRATEGIES:
                problem = f"the strategy `{parent['strategy']}` is not available in this version"
                self._fault(path, problem, "use `weighted` or `order`")
                del parent["strategy"]

    def _fill_empty(self, node: Any, path: Path) -> None:
        items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
        for key, value in list(items):
            where = (*path, key)
            if value is not None:
                self._fill_empty(value, where)
            elif _pattern(where) in EMPTY_IS_A_MAPPING:
                node[key] = {}
            elif not self._document.is_faulty(where):
                self._fault(where, "has no value", "give it one or remove the key")

    def _validate(self, model: type[Part], value: Any, path: Path) -> Part | None:
        try:
            return model.model_validate(value)
        except ValidationError as error:
            for each in error.errors(include_url=False):
                where = (*path, *each["loc"])
                if not self._document.is_faulty(where):
                    self._fault(where, *explain(each, model if path else File))
            return None

    # -- settings ---------------------------------------------------------------------------------------------------

    def _settings(self, rest: dict[str, Any]) -> None:
        server = rest.get("server")
        host = server.get("host", "127.0.0.1") if isinstance(server, dict) else None
        if isinstance(host, str) and server is not None and server.get("auth") == "open" and not is_loopback(host):
            problem = f"`open` lets anybody in, which is allowed on a loopback address only, and host is {host}"
            self._fault(("server", "auth"), problem, "use `auth: keys`, or `host: 127.0.0.1`")
        tls = rest.get("tls")
        file = tls.get("ca_file") if isinstance(tls, dict) else None
        if isinstance(file, str) and file and not FilePath(file).is_file():
            self._fault(("tls", "ca_file"), f"there is no file {file}", "paths are relative to the working directory")

    def _fault(self, path: Path, problem: str, hint: str = "") -> None:
        self._document.fault(path, problem, hint)


def _matches(values: dict[str, Any], pattern: tuple[str, ...]) -> list[tuple[Path, dict[str, Any]]]:
    """Return the paths that fit ``pattern`` (``*`` is any key), each with the mapping its last key is in."""
    here: list[tuple[Path, Any, Any]] = [((), values, None)]
    for part in pattern:
        here = [
            ((*path, key), node[key], node)
            for path, node, _ in here
            if isinstance(node, dict)
            for key in (list(node) if part == "*" else [part] if part in node else [])
        ]
    return [(path, parent) for path, _, parent in here]


def _pattern(path: Path) -> tuple[str, ...]:
    """Return ``path`` with the names people choose replaced by ``*``."""
    return tuple("*" if number == 1 and path[0] in ("providers", "models") else str(p) for number, p in enumerate(path))
