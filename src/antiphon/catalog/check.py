"""Everything that can be wrong with a configuration, found in one pass: one fault for each, with its line.

Each provider and each model is validated by itself, so that one fault does not hide another; what already has a fault
is not reported again by what depends on it.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path as FilePath
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from antiphon.catalog.account import has_credentials, params_of
from antiphon.catalog.address import Address, is_loopback, parse_address
from antiphon.catalog.document import Document, Path, dotted, nearest
from antiphon.catalog.explain import explain, found
from antiphon.catalog.facts import load_facts
from antiphon.catalog.identity import file_problems, lacking, settings_of, variables_of
from antiphon.catalog.kinds import PARAMS, SECRETS, SETTINGS, SOURCES, Kind, load_kinds, other_names
from antiphon.catalog.local import problems
from antiphon.catalog.longtail import OWN_PARAMS, VIAS, check_base_url, known, row
from antiphon.catalog.routes import loop, split_target
from antiphon.catalog.schema import File, ModelBlock, ProviderBlock, SettingsBlock

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

_TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_PROVIDER_NAME = frozenset("._-0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_OWN_HEADERS = frozenset(
    ("host", "content-length", "content-type", "transfer-encoding", "connection", "accept-encoding")
)

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
        self._kinds = load_kinds()
        self._checked = Checked()
        self._names: dict[str, Path] = {}

    def run(self) -> Checked:
        self._later()
        self._fill_empty(self._values, ())
        rest = {key: value for key, value in self._values.items() if key not in ("providers", "models")}
        checked = self._checked
        checked.settings = self._validate(SettingsBlock, rest, ())
        self._settings(rest)
        for name, value in self._section("providers"):
            block = self._validate(ProviderBlock, value, ("providers", name))
            if self._provider(name, value, block) and block is not None:
                checked.providers[name] = block
        for name, value in self._section("models"):
            path = ("models", name)
            whole = {"targets": [value]} if isinstance(value, str) else value
            if isinstance(whole, dict) and (model := self._validate(ModelBlock, whole, path)) is not None:
                checked.models[name] = model
            elif not isinstance(whole, dict):
                self._fault(path, f"expected `provider/model` or a mapping, found {found(value)}")
        self._model_names()
        for name, value in self._section("models"):
            self._model(name, value)
        self._loops()
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

    # -- providers --------------------------------------------------------------------------------------------------

    def _provider(self, name: str, value: Any, block: ProviderBlock | None) -> bool:
        """Return whether the provider can be used; checks what a shape cannot say."""
        path = ("providers", name)
        if self._document.is_faulty(path):
            return False
        before = len(self._document.faults)
        if not set(name) <= _PROVIDER_NAME or not name[0].isalnum():
            self._fault(path, "a provider's name has letters, digits, `.`, `_` and `-` only, and no `/`")
        raw = value if isinstance(value, dict) else {}
        kind = self._kind(path, name, raw)
        if kind is not None and row(raw.get("via"), kind.name) is not None:
            self._through(path, raw, kind)
        elif kind is not None:
            if "params" in raw:
                self._fault((*path, "params"), "parameters go with `via: litellm` only", "remove them, or add it")
            self._provider_address(path, raw, kind)
            self._provider_params(path, raw, kind)
            self._provider_key(path, raw, kind)
            self._provider_headers(path, raw, kind)
        if kind is not None:
            self._provider_models(path, raw, kind)
        return block is not None and len(self._document.faults) == before

    def _kind(self, path: Path, name: str, raw: dict[str, Any]) -> Kind | None:
        if self._document.is_faulty((*path, "kind")) or self._document.is_faulty((*path, "via")):
            return None
        given = raw.get("kind")
        if given is not None and not isinstance(given, str):
            return None
        wanted = given or name
        through = row(raw.get("via"), wanted)
        if through is not None and through.name not in known().providers | VIAS.keys():
            hint = nearest(wanted, known().providers) or "docs/longtail.md says where to find its names"
            self._fault((*path, "kind") if given else path, f"LiteLLM has no provider `{wanted}`", hint)
            return None
        if (kind := through or self._kinds.get(wanted)) is not None:
            return kind
        where = (*path, "kind") if given else path
        same = self._same(wanted)
        if given:
            self._fault(where, f"unknown kind `{wanted}`", same or "see docs/providers.md")
        else:
            hint = same or "add `kind: openai-compatible` and a `base_url`"
            self._fault(where, f"`{wanted}` is not a kind, so the provider needs a `kind`", hint)
        return None

    def _same(self, wanted: str) -> str:
        """Return the kind that was probably meant, or the way to one that only LiteLLM has."""
        if (other := other_names().get(wanted)) is not None:
            return f"did you mean `{other}`?"
        return "LiteLLM has it: add `via: litellm`" if wanted in known().providers else nearest(wanted, self._kinds)

    def _through(self, path: Path, raw: dict[str, Any], kind: Kind) -> None:
        """Check what LiteLLM will be told; whether its provider needs a key or an address, only it knows."""
        base_url, params = raw.get("base_url"), raw.get("params")
        if isinstance(base_url, str) and base_url and not self._document.is_faulty((*path, "base_url")):
            try:
                check_base_url(base_url)
            except ValueError as error:
                self._fault((*path, "base_url"), f"the address {error}")
        for name in params if isinstance(params, dict) else ():
            if (hint := OWN_PARAMS.get(str(name))) is not None:
                self._fault((*path, "params", name), "is not a parameter to give here", hint)
        for name in (PARAMS.keys() | SECRETS.keys() | SETTINGS.keys()) - {"api_version"}:
            if name in raw and not self._document.is_faulty((*path, name)):
                self._fault((*path, name), "is told to LiteLLM under the name it has there", "move it to `params`")
        self._provider_headers(path, raw, kind)

    def _provider_address(self, path: Path, raw: dict[str, Any], kind: Kind) -> None:
        where = (*path, "base_url")
        given = raw.get("base_url")
        if given is None and not kind.base_url and not self._document.is_faulty(where):
            variable = f", such as ${{{kind.base_url_env[0]}}}" if kind.base_url_env else ""
            self._fault(path, f"kind `{kind.name}` needs a `base_url`", f"give the address of your account{variable}")
        if isinstance(given, str) and given and not self._document.is_faulty(where):
            try:
                parse_address(given)
            except ValueError as error:
                self._fault(where, f"the address {error}")

    def _provider_models(self, path: Path, raw: dict[str, Any], kind: Kind) -> None:
        models = raw.get("models")
        where = (*path, "models")
        if kind.files and "base_url" in raw:
            self._fault((*path, "base_url"), f"kind `{kind.name}` has no address", "remove it")
        if models and isinstance(models, dict) != kind.files:
            shape = "a mapping of names to folders" if kind.files else "a list of names"
            self._fault(where, f"kind `{kind.name}` takes {shape} here, found {found(models)}")
        elif isinstance(models, dict):
            stated = {name: source for name, source in models.items() if isinstance(source, str)}
            for name, problem in problems(stated).items():
                self._fault((*where, name), problem, "docs/local.md says what goes here")

    def _provider_params(self, path: Path, raw: dict[str, Any], kind: Kind) -> None:
        """Check what the account says beside its key: only what its kind has, and all that its kind needs."""
        known = {*kind.params, *(kind.signing.secrets if kind.signing else ()), *settings_of(kind)}
        given = [
            name
            for name in (*PARAMS, *SECRETS, *SETTINGS)
            if name in raw and not self._document.is_faulty((*path, name))
        ]
        for name in given:
            if name not in known:
                self._fault((*path, name), f"kind `{kind.name}` has no `{name}`", "remove it")
        stated = {name: raw[name] for name in given if isinstance(raw[name], str)}
        values = params_of(kind, stated, self._environ).values
        for name, value in values.items():
            if problem := kind.problem(name, value):
                self._fault((*path, name) if name in stated else path, f"the `{name}` {problem}")
        missing = kind.needs(self._stated_address(raw)) - values.keys()
        for name in sorted(name for name in missing if not self._document.is_faulty((*path, name))):
            variables = kind.params[name].env
            hint = f", or export {variables[0]}" if variables else ""
            self._fault(path, f"kind `{kind.name}` needs a `{name}`", f"add it{hint}")

    def _stated_address(self, raw: dict[str, Any]) -> Address | None:
        try:
            return parse_address(raw["base_url"]) if isinstance(raw.get("base_url"), str) else None
        except ValueError:
            return None

    def _provider_key(self, path: Path, raw: dict[str, Any], kind: Kind) -> None:
        where = (*path, "api_key")
        signing = [name for name in (kind.signing.secrets if kind.signing else ()) if name in raw]
        renewed = [name for name in settings_of(kind) if name in raw]
        if any(self._document.is_faulty((*path, name)) for name in ("api_key", *SECRETS, *SETTINGS)):
            return
        if renewed:
            self._provider_identity(path, raw, kind, renewed)
        elif "api_key" in raw:
            if kind.key == "none":
                self._fault(where, f"kind `{kind.name}` takes no key", "remove it")
            elif signing:
                self._fault(where, f"goes without `{signing[0]}`: requests carry a key or are signed", "remove one")
        elif signing:
            for name in kind.signing.required if kind.signing else ():
                if name not in raw:
                    self._fault(path, f"needs a `{name}` beside its `{signing[0]}`", "add it")
        elif kind.key == "required":
            self._key_from_elsewhere(path, raw, kind)

    def _provider_identity(self, path: Path, raw: dict[str, Any], kind: Kind, stated: list[str]) -> None:
        """Check what an account says of credentials that are renewed; whether there are any, a call will find out."""
        assert kind.identity is not None
        for name in ("api_key", *(kind.signing.secrets if kind.signing else ())):
            if name in raw:
                problem = f"goes without `{stated[0]}`: a credential is given here, or had and renewed"
                self._fault((*path, name), problem, "remove one")
        for name in stated:
            for other in SOURCES[kind.identity.source].needs.get(name, ()):
                if other not in raw:
                    self._fault(path, f"needs a `{other}` beside its `{name}`", "add it")
        for name, problem in file_problems(kind, raw, stated).items():
            self._fault((*path, name), problem, "paths are relative to the working directory")
        if command := lacking(kind):
            title = SOURCES[kind.identity.source].title
            self._fault((*path, stated[0]), f"{title} cannot be read: its library is not installed", command)

    def _key_from_elsewhere(self, path: Path, raw: dict[str, Any], kind: Kind) -> None:
        instead = [" and ".join(f"`{name}`" for name in kind.signing.required)] if kind.signing else []
        instead += ["`credentials: default`"] if kind.identity else []
        wanted = f"an `api_key` (or {', or '.join(instead)})" if instead else "an `api_key`"
        if "base_url" in raw:
            problem = f"needs {wanted}: a key from the environment is not sent to an address of your own by itself"
            self._fault(path, problem, f"write `api_key: ${{{kind.env[0]}}}`")
        elif not has_credentials(kind, self._environ):
            if (names := variables_of(kind, self._environ)) and (command := lacking(kind)):
                self._fault(path, f"what {names[0]} names cannot be read: its library is not installed", command)
            else:
                self._fault(path, f"needs {wanted}; {kind.env[0]} is not set either", f"export {kind.env[0]}")

    def _provider_headers(self, path: Path, raw: dict[str, Any], kind: Kind) -> None:
        headers = raw.get("headers")
        own = {"authorization" if any(name in raw for name in settings_of(kind)) else kind.auth[0]}
        for name, value in headers.items() if isinstance(headers, dict) else ():
            where = (*path, "headers", name)
            if not set(name) <= _TOKEN:
                self._fault(where, "is not a header name")
            elif name.lower() in _OWN_HEADERS:
                self._fault(where, "is set by the gateway itself", "remove it")
            elif name.lower() in own and ("api_key" in raw or kind.key == "required"):
                self._fault(where, "is where the key goes", "use `api_key`")
            elif isinstance(value, str) and not value.isascii():
                self._fault(where, "has characters that no header can carry")

    # -- models -----------------------------------------------------------------------------------------------------

    def _model_names(self) -> None:
        """Note every name and alias once; a second use of one is a clash."""
        models = dict(self._section("models"))
        self._names = {name: ("models", name) for name in models}
        for name, value in models.items():
            aliases = value.get("aliases") if isinstance(value, dict) else None
            for number, alias in enumerate(aliases if isinstance(aliases, list) else ()):
                where = ("models", name, "aliases", number)
                if not isinstance(alias, str) or self._document.is_faulty(where):
                    continue
                if (other := self._names.get(alias)) is not None:
                    line = self._document.line(other)
                    self._fault(
                        where, f"the name `{alias}` is taken by {dotted(other)} (line {line})", "choose another"
                    )
                else:
                    self._names[alias] = where

    def _model(self, name: str, value: Any) -> None:
        path = ("models", name)
        whole = {"targets": [value]} if isinstance(value, str) else value
        if not isinstance(whole, dict):
            return
        targets = whole.get("targets")
        self._targets(path, targets if isinstance(targets, list) else [], isinstance(value, str))
        fallbacks = whole.get("fallbacks")
        for number, fallback in enumerate(fallbacks if isinstance(fallbacks, list) else ()):
            where = (*path, "fallbacks", number)
            if isinstance(fallback, str) and fallback not in self._names and not self._document.is_faulty(where):
                self._target(where, fallback, fallback_names=True)
        if (block := self._checked.models.get(name)) is not None:
            self._weights(path, block)

    def _targets(self, path: Path, targets: list[Any], shorthand: bool) -> None:
        seen: set[str] = set()
        for number, target in enumerate(targets):
            where = path if shorthand else (*path, "targets", number)
            text = target
            if isinstance(target, dict):
                where, text = (*where, "model"), target.get("model")
            if not isinstance(text, str) or not text or self._document.is_faulty(where):
                continue
            if text in seen:
                self._fault(where, f"`{text}` is listed twice, and the second is never reached", "remove one")
            elif self._target(where, text):
                seen.add(text)

    def _target(self, where: Path, text: str, fallback_names: bool = False) -> bool:
        split = split_target(text)
        if split is None:
            if fallback_names:
                problem, names = f"unknown model `{text}`", self._names
                hint = nearest(text, names)
            else:
                problem = f"`{text}` is not of the form `provider/model`"
                hint = "another model goes into `fallbacks`" if text in self._names else self._complete(text)
            self._fault(where, problem, hint or "write `provider/model`")
            return False
        provider, _ = split
        if provider in self._providers():
            return True
        if self._document.is_faulty(("providers", provider)):
            return False
        self._fault(where, f"unknown provider `{provider}`", self._provider_hint(provider))
        return False

    def _providers(self) -> set[str]:
        section = self._values.get("providers")
        names = set(section) if isinstance(section, dict) else set()
        always = (kind for kind in self._kinds.values() if kind.always)
        return names | {kind.name for kind in always if self._values.get(kind.switch, True) is not False}

    def _provider_hint(self, provider: str) -> str:
        names = self._providers()
        if hint := nearest(provider, names):
            return hint
        kind = self._kinds.get(provider)
        if kind is None:
            return f"configured: {', '.join(sorted(names))}"
        if kind.always:
            return f"it is switched off by `{kind.switch}: false`"
        return f"add it under `providers`: `{provider}: {{api_key: ${{{kind.env[0]}}}}}`" if kind.env else "add it"

    def _complete(self, text: str) -> str:
        for name, block in self._checked.providers.items():
            if load_facts().knows(block.kind or name, text):
                return f"did you mean `{name}/{text}`?"
        return ""

    def _weights(self, path: Path, block: ModelBlock) -> None:
        weights = [target.weight for target in block.targets]
        given = [weight for weight in weights if weight is not None]
        if given and block.strategy == "order":
            self._fault((*path, "strategy"), "weights have no effect with `order`", "use `weighted`, or remove them")
        elif given and len(given) == len(weights) and not any(given):
            self._fault((*path, "targets"), "every weight is 0, so no target would ever be used", "raise one")

    def _loops(self) -> None:
        owners = {name: str(path[1]) for name, path in self._names.items()}
        edges = {
            name: [
                owners[other] for other in value.get("fallbacks") or () if isinstance(other, str) and other in owners
            ]
            for name, value in self._section("models")
            if isinstance(value, dict) and isinstance(value.get("fallbacks") or [], list)
        }
        reported: set[frozenset[str]] = set()
        for name in edges:
            way = loop(name, edges)
            if way is not None and frozenset(way) not in reported:
                reported.add(frozenset(way))
                self._fault(
                    ("models", name, "fallbacks"), f"the fallbacks run in a circle: {' → '.join(way)}", "break it"
                )

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
