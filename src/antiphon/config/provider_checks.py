"""What can be wrong with an account beyond its shape: kind, address, credentials, and what else its kind needs."""

from collections.abc import Mapping
from typing import Any

from antiphon.catalog.address import Address, parse_address
from antiphon.catalog.kinds import PARAMS, SECRETS, SETTINGS, SOURCES, Kind, load_kinds, other_names
from antiphon.catalog.local import problems
from antiphon.catalog.longtail import OWN_PARAMS, VIAS, check_base_url, known, row
from antiphon.config.account import has_credentials, params_of
from antiphon.config.document import Document, Path, nearest
from antiphon.config.explain import found
from antiphon.config.identity import file_problems, lacking, settings_of, variables_of
from antiphon.config.schema import ProviderBlock

_TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_PROVIDER_NAME = frozenset("._-0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_OWN_HEADERS = frozenset(
    ("host", "content-length", "content-type", "transfer-encoding", "connection", "accept-encoding")
)


class ProviderCheck:
    """Notes the faults of one provider after another in ``document``."""

    def __init__(self, document: Document, environ: Mapping[str, str]) -> None:
        self._document = document
        self._environ = environ
        self._kinds = load_kinds()
        self._fault = document.fault

    def check(self, name: str, value: Any, block: ProviderBlock | None) -> bool:
        """Return whether the provider can be used; notes what a shape cannot say."""
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
            self._address(path, raw, kind)
            self._params(path, raw, kind)
            self._key(path, raw, kind)
            self._headers(path, raw, kind)
        if kind is not None:
            self._models(path, raw, kind)
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
        self._headers(path, raw, kind)

    def _address(self, path: Path, raw: dict[str, Any], kind: Kind) -> None:
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

    def _models(self, path: Path, raw: dict[str, Any], kind: Kind) -> None:
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

    def _params(self, path: Path, raw: dict[str, Any], kind: Kind) -> None:
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

    def _key(self, path: Path, raw: dict[str, Any], kind: Kind) -> None:
        where = (*path, "api_key")
        signing = [name for name in (kind.signing.secrets if kind.signing else ()) if name in raw]
        renewed = [name for name in settings_of(kind) if name in raw]
        if any(self._document.is_faulty((*path, name)) for name in ("api_key", *SECRETS, *SETTINGS)):
            return
        if renewed:
            self._identity(path, raw, kind, renewed)
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

    def _identity(self, path: Path, raw: dict[str, Any], kind: Kind, stated: list[str]) -> None:
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

    def _headers(self, path: Path, raw: dict[str, Any], kind: Kind) -> None:
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
