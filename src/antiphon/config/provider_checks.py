"""Checks providers beyond their shape: kind, address, credentials, and whatever else the kind needs."""

from collections.abc import Mapping
from typing import Any

from antiphon.catalog.address import Address, parse_address
from antiphon.catalog.kinds import CREDENTIAL_SOURCES, PARAMS, SECRETS, SETTINGS, Kind, load_aliases, load_kinds
from antiphon.catalog.local import find_problems
from antiphon.catalog.longtail import OWN_PARAMS, VIAS, check_base_url, find_kind, load_names
from antiphon.config.account import find_params, has_credentials
from antiphon.config.document import Document, Path, hint_at_nearest
from antiphon.config.identity import (
    find_file_problems,
    find_identity_variables,
    find_missing_extra,
    list_identity_settings,
)
from antiphon.config.messages import name_type
from antiphon.config.schema import ProviderBlock

_TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_PROVIDER_NAME = frozenset("._-0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_OWN_HEADERS = frozenset(
    ("host", "content-length", "content-type", "transfer-encoding", "connection", "accept-encoding")
)


class ProviderChecker:
    """Adds the faults of one provider after another to ``document``."""

    def __init__(self, document: Document, environ: Mapping[str, str]) -> None:
        self._document = document
        self._environ = environ
        self._kinds = load_kinds()
        self._add_fault = document.add_fault

    def check(self, name: str, value: Any, block: ProviderBlock | None) -> bool:
        """Return whether the provider can be used; adds faults that the schema cannot express."""
        path = ("providers", name)
        if self._document.is_faulty(path):
            return False
        before = len(self._document.faults)
        if not set(name) <= _PROVIDER_NAME or not name[0].isalnum():
            self._add_fault(path, "a provider's name may contain only letters, digits, `.`, `_` and `-`, and no `/`")
        raw = value if isinstance(value, dict) else {}
        kind = self._find_kind(path, name, raw)
        if kind is not None and find_kind(raw.get("via"), kind.name) is not None:
            self._check_longtail(path, raw, kind)
        elif kind is not None:
            if "params" in raw:
                self._add_fault((*path, "params"), "`params` needs `via: litellm`", "remove one or add the other")
            self._check_address(path, raw, kind)
            self._check_params(path, raw, kind)
            self._check_key(path, raw, kind)
            self._check_headers(path, raw, kind)
        if kind is not None:
            self._check_models(path, raw, kind)
        return block is not None and len(self._document.faults) == before

    def _find_kind(self, path: Path, name: str, raw: dict[str, Any]) -> Kind | None:
        if self._document.is_faulty((*path, "kind")) or self._document.is_faulty((*path, "via")):
            return None
        stated = raw.get("kind")
        if stated is not None and not isinstance(stated, str):
            return None
        wanted = stated or name
        kind_path = (*path, "kind") if stated else path
        longtail_kind = find_kind(raw.get("via"), wanted)
        if longtail_kind is not None and longtail_kind.name not in load_names().providers | VIAS.keys():
            hint = hint_at_nearest(wanted, load_names().providers) or "docs/longtail.md says where to find the names"
            self._add_fault(kind_path, f"LiteLLM has no provider `{wanted}`", hint)
            return None
        if (kind := longtail_kind or self._kinds.get(wanted)) is not None:
            return kind
        suggestion = self._hint_at_kind(wanted)
        if stated:
            self._add_fault(kind_path, f"unknown kind `{wanted}`", suggestion or "see docs/providers.md")
        else:
            hint = suggestion or "add `kind: openai-compatible` and a `base_url`"
            self._add_fault(kind_path, f"`{wanted}` is not a kind, so the provider needs a `kind`", hint)
        return None

    def _hint_at_kind(self, wanted: str) -> str:
        """Return a hint at the kind that was probably meant, or at LiteLLM if only LiteLLM has it."""
        if (name := load_aliases().get(wanted)) is not None:
            return f"did you mean `{name}`?"
        if wanted in load_names().providers:
            return "LiteLLM has it: add `via: litellm`"
        return hint_at_nearest(wanted, self._kinds)

    def _check_longtail(self, path: Path, raw: dict[str, Any], kind: Kind) -> None:
        """Check what LiteLLM will receive; only LiteLLM knows whether its provider needs a key or an address."""
        base_url, params = raw.get("base_url"), raw.get("params")
        if isinstance(base_url, str) and base_url and not self._document.is_faulty((*path, "base_url")):
            try:
                check_base_url(base_url)
            except ValueError as error:
                self._add_fault((*path, "base_url"), f"the address {error}")
        for name in params if isinstance(params, dict) else ():
            if (hint := OWN_PARAMS.get(str(name))) is not None:
                self._add_fault((*path, "params", name), "cannot be set here", hint)
        for name in (PARAMS.keys() | SECRETS.keys() | SETTINGS.keys()) - {"api_version"}:
            if name in raw and not self._document.is_faulty((*path, name)):
                problem = "is passed to LiteLLM under LiteLLM's own name for it"
                self._add_fault((*path, name), problem, "move it to `params`")
        self._check_headers(path, raw, kind)

    def _check_address(self, path: Path, raw: dict[str, Any], kind: Kind) -> None:
        address_path = (*path, "base_url")
        stated = raw.get("base_url")
        if stated is None and not kind.base_url and not self._document.is_faulty(address_path):
            variable = f", such as ${{{kind.base_url_env[0]}}}" if kind.base_url_env else ""
            hint = f"give the address of your account{variable}"
            self._add_fault(path, f"kind `{kind.name}` needs a `base_url`", hint)
        if isinstance(stated, str) and stated and not self._document.is_faulty(address_path):
            try:
                parse_address(stated)
            except ValueError as error:
                self._add_fault(address_path, f"the address {error}")

    def _check_models(self, path: Path, raw: dict[str, Any], kind: Kind) -> None:
        models = raw.get("models")
        models_path = (*path, "models")
        if kind.local_models and "base_url" in raw:
            self._add_fault((*path, "base_url"), f"kind `{kind.name}` has no address", "remove it")
        if models and isinstance(models, dict) != kind.local_models:
            expected = "a mapping of names to folders" if kind.local_models else "a list of names"
            self._add_fault(models_path, f"kind `{kind.name}` takes {expected} here, found {name_type(models)}")
        elif isinstance(models, dict):
            sources = {name: source for name, source in models.items() if isinstance(source, str)}
            for name, problem in find_problems(sources).items():
                self._add_fault((*models_path, name), problem, "docs/local.md says what goes here")

    def _check_params(self, path: Path, raw: dict[str, Any], kind: Kind) -> None:
        """Check the parameters besides the key: all that the kind needs, and only those that it has."""
        known = {*kind.params, *(kind.signing.secrets if kind.signing else ()), *list_identity_settings(kind)}
        names = [
            name
            for name in (*PARAMS, *SECRETS, *SETTINGS)
            if name in raw and not self._document.is_faulty((*path, name))
        ]
        for name in names:
            if name not in known:
                self._add_fault((*path, name), f"kind `{kind.name}` has no `{name}`", "remove it")
        stated = {name: raw[name] for name in names if isinstance(raw[name], str)}
        values = find_params(kind, stated, self._environ).values
        for name, value in values.items():
            if problem := kind.find_problem(name, value):
                self._add_fault((*path, name) if name in stated else path, f"the `{name}` {problem}")
        missing = kind.list_required_params(self._read_address(raw)) - values.keys()
        for name in sorted(name for name in missing if not self._document.is_faulty((*path, name))):
            variables = kind.params[name].env
            hint = f", or export {variables[0]}" if variables else ""
            self._add_fault(path, f"kind `{kind.name}` needs a `{name}`", f"add it{hint}")

    def _read_address(self, raw: dict[str, Any]) -> Address | None:
        try:
            return parse_address(raw["base_url"]) if isinstance(raw.get("base_url"), str) else None
        except ValueError:
            return None

    def _check_key(self, path: Path, raw: dict[str, Any], kind: Kind) -> None:
        key_path = (*path, "api_key")
        signing = [name for name in (kind.signing.secrets if kind.signing else ()) if name in raw]
        renewed = [name for name in list_identity_settings(kind) if name in raw]
        if any(self._document.is_faulty((*path, name)) for name in ("api_key", *SECRETS, *SETTINGS)):
            return
        if renewed:
            self._check_identity(path, raw, kind, renewed)
        elif "api_key" in raw:
            if kind.key == "none":
                self._add_fault(key_path, f"kind `{kind.name}` takes no key", "remove it")
            elif signing:
                problem = f"excludes `{signing[0]}`: a request carries a key or is signed, not both"
                self._add_fault(key_path, problem, "remove one")
        elif signing:
            for name in kind.signing.required if kind.signing else ():
                if name not in raw:
                    self._add_fault(path, f"needs a `{name}` with its `{signing[0]}`", "add it")
        elif kind.key == "required":
            self._check_environment_key(path, raw, kind)

    def _check_identity(self, path: Path, raw: dict[str, Any], kind: Kind, stated: list[str]) -> None:
        """Check the settings of credentials that are renewed; the first call finds out whether there are any."""
        assert kind.identity is not None
        source = CREDENTIAL_SOURCES[kind.identity.source]
        for name in ("api_key", *(kind.signing.secrets if kind.signing else ())):
            if name in raw:
                problem = f"excludes `{stated[0]}`: a credential is either given here or fetched and renewed"
                self._add_fault((*path, name), problem, "remove one")
        for name in stated:
            for other in source.needs.get(name, ()):
                if other not in raw:
                    self._add_fault(path, f"needs a `{other}` with its `{name}`", "add it")
        for name, problem in find_file_problems(kind, raw, stated).items():
            self._add_fault((*path, name), problem, "paths are relative to the working directory")
        if command := find_missing_extra(kind):
            problem = f"{source.title} cannot be read: its library is not installed"
            self._add_fault((*path, stated[0]), problem, command)

    def _check_environment_key(self, path: Path, raw: dict[str, Any], kind: Kind) -> None:
        """Check an account that states no credential, so that it needs one from the environment."""
        alternatives = [" and ".join(f"`{name}`" for name in kind.signing.required)] if kind.signing else []
        alternatives += ["`credentials: default`"] if kind.identity else []
        needed = f"an `api_key` (or {', or '.join(alternatives)})" if alternatives else "an `api_key`"
        if "base_url" in raw:
            problem = f"needs {needed}: a key from the environment is sent to a custom `base_url` only if you say so"
            self._add_fault(path, problem, f"write `api_key: ${{{kind.env[0]}}}`")
        elif not has_credentials(kind, self._environ):
            if (names := find_identity_variables(kind, self._environ)) and (command := find_missing_extra(kind)):
                problem = f"the credentials named by {names[0]} cannot be read: the library is not installed"
                self._add_fault(path, problem, command)
            else:
                problem = f"needs {needed}; {kind.env[0]} is not set either"
                self._add_fault(path, problem, f"export {kind.env[0]}")

    def _check_headers(self, path: Path, raw: dict[str, Any], kind: Kind) -> None:
        headers = raw.get("headers")
        renewed = any(name in raw for name in list_identity_settings(kind))
        key_header = "authorization" if renewed else kind.auth[0]
        for name, value in headers.items() if isinstance(headers, dict) else ():
            header_path = (*path, "headers", name)
            if not set(name) <= _TOKEN:
                self._add_fault(header_path, "is not a header name")
            elif name.lower() in _OWN_HEADERS:
                self._add_fault(header_path, "is set by the gateway itself", "remove it")
            elif name.lower() == key_header and ("api_key" in raw or kind.key == "required"):
                self._add_fault(header_path, "is the header of the key", "use `api_key`")
            elif isinstance(value, str) and not value.isascii():
                self._add_fault(header_path, "has characters that are not allowed in a header")
