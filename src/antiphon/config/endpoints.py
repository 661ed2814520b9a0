"""Converts endpoint blocks of programs that call models themselves into providers and models.

A block names one model behind one endpoint: ``type: openai`` is a server with OpenAI's wire, ``type: litellm`` is given
by LiteLLM's model string. The result is an ``antiphon.yaml``, with notes for the person who imports it. Unless
requested otherwise, a variable replaces each secret.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, NamedTuple, TypeAlias
from urllib.parse import urlsplit

from pydantic import Field, ValidationError

from antiphon.catalog.kinds import load_kinds
from antiphon.catalog.longtail import load_names, to_builtins
from antiphon.config.document import Document, Path, format_path
from antiphon.config.messages import explain_error, name_type
from antiphon.config.schema import Block
from antiphon.config.values import Name, Seconds, Text
from antiphon.config.yaml_reader import parse_yaml
from antiphon.errors import ConfigError

_SECRET = re.compile(r"key|secret|token|password|credential", re.IGNORECASE)
_REFERENCE = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*(:-[^}]*)?\}")
COMPATIBLE = "openai-compatible"
"""The kind of a server with OpenAI's wire that has no row of its own."""
_Account: TypeAlias = tuple[str, str, dict[str, Any]]
"""A name for the provider, the model's name there, and the provider's block in the configuration."""
_LITELLM_FIELDS = ("litellm_model", "api_version", "extra_params", "socket_path")


class EndpointBlock(Block):
    """One endpoint in the format of such a program."""

    type: Literal["openai", "litellm"] = Field(description="Who calls the model: an OpenAI client, or LiteLLM.")
    base_url: Text | None = Field(default=None, description="The address. Default: the provider's own.")
    model: Name | None = Field(default=None, description="The model's name, for the provider and for callers.")
    api_key: Text | None = Field(default=None, description="The credential.")
    litellm_model: Name | None = Field(default=None, description="LiteLLM's full model string, such as `azure/gpt-4`.")
    api_version: Name | None = Field(default=None, description="A dated version of the API.")
    extra_params: dict[str, Any] = Field(
        default={}, description="Additional parameters for LiteLLM, passed on unchanged."
    )
    num_parallel_tasks: int = Field(default=10, ge=1, description="Concurrent calls of the program.")
    socket_path: Text | None = Field(default=None, description="The socket on which LiteLLM's process would listen.")
    timeout: Seconds = Field(default=60, description="Seconds for one call.")


class Imported(NamedTuple):
    """The document to write, and notes for the person who imports the file."""

    document: dict[str, Any]
    notes: tuple[str, ...]


class PlaceholderEnviron(Mapping[str, str]):
    """An environment in which every variable is set, to ``value`` with its name in place of ``{}``."""

    def __init__(self, value: str) -> None:
        self._value = value

    def __getitem__(self, name: str) -> str:
        return self._value.replace("{}", name)

    def __contains__(self, name: object) -> bool:
        return True

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def read_endpoints(text: str, file: str, *, keep_secrets: bool) -> Imported:
    """Return a configuration for the endpoint blocks in a YAML or JSON file.

    The file is one block, or a mapping of names to blocks, or has one of these or a list of blocks under ``endpoints``.
    ``keep_secrets`` keeps secrets in the text. Raises :class:`~antiphon.errors.ConfigError` with every fault found.
    """
    document = parse_yaml(text, file, PlaceholderEnviron("${{}}"))  # references stay references
    blocks = [
        (name, path, block)
        for name, path, value in _find_blocks(document)
        if (block := _read_block(document, path, value))
    ]
    if not document.faults and not blocks:
        document.add_fault((), "has no endpoint", "expected a mapping with `type: openai` or `type: litellm`")
    if document.faults:
        raise ConfigError(document.faults)
    writer = _Writer(keep_secrets)
    for name, path, block in blocks:
        writer.add(name, format_path(path) if path else file, block)
    if direct := writer.list_direct():
        writer.notes.append(
            f"{', '.join(direct)}: Antiphon also supports this without LiteLLM, which is faster; see docs/providers.md"
        )
    return Imported({"version": 1, "providers": writer.providers, "models": writer.models}, tuple(writer.notes))


def _find_blocks(document: Document) -> Iterator[tuple[str, Path, Any]]:
    """Yield the name (possibly empty), the path and the value of each block."""
    root: Any = document.values
    path: Path = ()
    for key in ("endpoints", "endpoint"):
        if isinstance(root, dict) and key in root:
            root, path = root[key], (key,)
    if isinstance(root, list):
        for number, value in enumerate(root):
            yield "", (*path, number), value
    elif isinstance(root, dict) and ("type" in root or any(field in root for field in ("litellm_model", "base_url"))):
        yield "", path, root
    elif isinstance(root, dict):
        for name, value in root.items():
            yield name, (*path, name), value
    else:
        document.add_fault(path, f"expected endpoints, found {name_type(root)}")


def _read_block(document: Document, path: Path, value: Any) -> EndpointBlock | None:
    if not isinstance(value, dict):
        document.add_fault(path, f"expected an endpoint, a mapping with a `type`, found {name_type(value)}")
        return None
    try:
        block = EndpointBlock.model_validate({key: field for key, field in value.items() if field is not None})
    except ValidationError as validation:
        for error in validation.errors(include_url=False):
            document.add_fault((*path, *error["loc"]), *explain_error(error, EndpointBlock))
        return None
    _check(document, path, block)
    return block


def _check(document: Document, path: Path, block: EndpointBlock) -> None:
    expected = _FORMATS[block.type]
    for key in _LITELLM_FIELDS:
        if key in block.model_fields_set and key not in expected.takes:
            document.add_fault((*path, key), f"is not for `type: {block.type}`", "remove it, or change the type")
    if not any(getattr(block, key) for key in expected.named_by):
        document.add_fault(path, f"has no `{expected.named_by[0]}`", expected.example)


class _Writer:
    """Converts block after block; a name that is already taken gets a number."""

    def __init__(self, keep_secrets: bool) -> None:
        self.providers: dict[str, Any] = {}
        self.models: dict[str, str] = {}
        self.notes: list[str] = []
        self._keep_secrets = keep_secrets

    def add(self, name: str, place: str, block: EndpointBlock) -> None:
        kind, model, provider = _FORMATS[block.type].write(block)
        name = self._choose_name(name or kind)
        if name == provider.get("kind"):
            del provider["kind"]
        self.providers[name] = self._hide_secrets(provider, name, place)
        alias = self._choose_alias(block.model or model.rpartition("/")[2], name)
        self.models[alias] = f"{name}/{model}"
        self._add_notes(place, block)

    def _choose_name(self, name: str) -> str:
        name, number = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.") or "endpoint", 1
        candidate = name
        while candidate in self.providers:
            number += 1
            candidate = f"{name}-{number}"
        return candidate

    def _choose_alias(self, alias: str, name: str) -> str:
        return alias if alias not in self.models else f"{alias}@{name}"

    def _hide_secrets(self, value: Any, name: str, place: str, secret: bool = False) -> Any:
        """Return ``value`` with a variable in place of every literal secret."""
        if isinstance(value, dict):
            return {
                key: self._hide_secrets(item, f"{name}_{key}", place, secret or bool(_SECRET.search(key)))
                for key, item in value.items()
            }
        if isinstance(value, list):
            return [self._hide_secrets(item, f"{name}_{number}", place, secret) for number, item in enumerate(value)]
        if not isinstance(value, str) or _REFERENCE.fullmatch(value):
            return value
        if not secret or self._keep_secrets:
            return value.replace("$$", "$$$$")  # a reader of the file turns `$$` into one dollar sign
        variable = re.sub(r"[^A-Za-z0-9]+", "_", name.replace("_params_", "_")).upper()
        self.notes.append(f"{place}: contains a secret; export it as {variable}")
        return f"${{{variable}}}"

    def _add_notes(self, place: str, block: EndpointBlock) -> None:
        if block.socket_path is not None:
            self.notes.append(f"{place}: socket_path is omitted; the gateway creates its own socket for LiteLLM")
        if "num_parallel_tasks" in block.model_fields_set:
            count = block.num_parallel_tasks
            self.notes.append(
                f"{place}: num_parallel_tasks ({count}) is omitted; set it in the program that calls the gateway"
            )

    def list_direct(self) -> tuple[str, ...]:
        """Return the kinds behind LiteLLM that Antiphon can also reach directly."""
        kinds = load_kinds()
        longtail = {provider.get("kind", name) for name, provider in self.providers.items() if "via" in provider}
        return tuple(sorted(longtail & kinds.keys()))


def _write_direct(block: EndpointBlock) -> _Account:
    settings = _write_settings(block)
    model = block.model or ""
    if block.base_url is None:
        return block.type, model, {"kind": block.type, **settings}
    host = urlsplit(block.base_url).hostname or ""
    kind = next((kind for kind in load_kinds().values() if urlsplit(kind.base_url).hostname == host), None)
    if kind is None or kind.params:
        return host, model, {"kind": COMPATIBLE, **settings}
    if kind.base_url.rstrip("/") == block.base_url.rstrip("/"):
        del settings["base_url"]
    return kind.name, model, {"kind": kind.name, **settings}


def _write_longtail(block: EndpointBlock) -> _Account:
    full = block.litellm_model or block.model or ""
    name, _, model = full.partition("/")
    if not model or name not in load_names().providers:
        prefixes = load_names().model_prefixes.items()
        name, model = next((provider for start, provider in prefixes if full.startswith(start)), ""), full
    kind = {"kind": name, "via": "litellm"} if name else {"kind": "litellm"}
    provider: dict[str, Any] = {**kind, **_write_settings(block)}
    if block.api_version is not None:
        provider["api_version"] = block.api_version
    if block.extra_params:
        provider["params"] = to_builtins(block.extra_params)
    return provider["kind"], model, provider


def _write_settings(block: EndpointBlock) -> dict[str, Any]:
    stated = {"base_url": block.base_url, "api_key": block.api_key}
    settings = {key: str(value) for key, value in stated.items() if value is not None}
    seconds = float(block.timeout)
    return {**settings, "timeouts": {"total": int(seconds) if seconds.is_integer() else seconds}}


class _Format(NamedTuple):
    """How blocks of one type are checked and converted."""

    write: Callable[[EndpointBlock], _Account]
    takes: tuple[str, ...]
    """The LiteLLM fields that it may have."""
    named_by: tuple[str, ...]
    """The fields that may name the model; one of them must."""
    example: str


_FORMATS = {
    "openai": _Format(_write_direct, (), ("model",), "name the model that the endpoint calls"),
    "litellm": _Format(
        _write_longtail, _LITELLM_FIELDS, ("litellm_model", "model"), "give LiteLLM's model string, such as azure/gpt-4"
    ),
}
