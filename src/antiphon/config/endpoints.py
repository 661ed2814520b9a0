"""Endpoint blocks of programs that call models themselves, as providers and models of ours.

A block names one model behind one endpoint: ``type: openai`` is a server with OpenAI's wire, ``type: litellm`` whatever
LiteLLM's own model string means. What is written of them is an ``antiphon.yaml``, and beside it what a person should
know of it. Secrets do not leave the block unasked: a variable takes the place of each.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, NamedTuple, TypeAlias
from urllib.parse import urlsplit

from pydantic import Field, ValidationError

from antiphon.catalog.kinds import load_kinds
from antiphon.catalog.longtail import known, plain
from antiphon.config.document import Document, Path, dotted, parse
from antiphon.config.explain import explain, found
from antiphon.config.schema import Block, Name, Seconds, Text
from antiphon.errors import ConfigError

_SECRET = re.compile(r"key|secret|token|password|credential", re.IGNORECASE)
_REFERENCE = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*(:-[^}]*)?\}")
COMPATIBLE = "openai-compatible"
"""The kind of a server with OpenAI's wire that is none of those we know."""
_Account: TypeAlias = tuple[str, str, dict[str, Any]]
"""A name for the provider, the model there, and what the configuration says of the provider."""
_TAIL_ONLY = ("litellm_model", "api_version", "extra_params", "socket_path")


class EndpointBlock(Block):
    """One endpoint, as such a program writes it."""

    type: Literal["openai", "litellm"] = Field(description="Who calls the model: an OpenAI client, or LiteLLM.")
    base_url: Text | None = Field(default=None, description="Where it is; absent: at the provider's own address.")
    model: Name | None = Field(default=None, description="The model's name, and how callers name it.")
    api_key: Text | None = Field(default=None, description="The credential.")
    litellm_model: Name | None = Field(default=None, description="LiteLLM's full model string, `azure/gpt-4`.")
    api_version: Name | None = Field(default=None, description="A dated version of the API.")
    extra_params: dict[str, Any] = Field(default={}, description="LiteLLM's further parameters, verbatim.")
    num_parallel_tasks: int = Field(default=10, ge=1, description="How many calls the program makes at once.")
    socket_path: Text | None = Field(default=None, description="Where LiteLLM's process would listen.")
    timeout: Seconds = Field(default=60, description="Seconds for one call.")


class Imported(NamedTuple):
    """What came of a file: the document to write, and what to tell of it."""

    document: dict[str, Any]
    notes: tuple[str, ...]


class Standing(Mapping[str, str]):
    """An environment that has every variable: ``value`` with its name in the place of ``{}``."""

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
    """Return the endpoint blocks of a YAML or JSON file as a configuration of ours.

    The file is one block, a mapping of names to blocks, or has either or a list of blocks under ``endpoints``. With
    ``keep_secrets`` they stay written out. Raises :class:`~antiphon.errors.ConfigError` with every fault found.
    """
    document = parse(text, file, Standing("${{}}"))  # references stay references
    blocks = [
        (name, path, block) for name, path, value in _blocks(document) if (block := _block(document, path, value))
    ]
    if not document.faults and not blocks:
        document.fault((), "has no endpoint", "expected a mapping with `type: openai` or `type: litellm`")
    if document.faults:
        raise ConfigError(document.faults)
    writer = _Writer(keep_secrets)
    for name, path, block in blocks:
        writer.add(name, dotted(path) if path else file, block)
    if direct := writer.direct():
        writer.notes.append(
            f"{', '.join(direct)}: spoken to without LiteLLM too, which is faster; see docs/providers.md"
        )
    return Imported({"version": 1, "providers": writer.providers, "models": writer.models}, tuple(writer.notes))


def _blocks(document: Document) -> Iterator[tuple[str, Path, Any]]:
    """Yield the name (perhaps empty), the place and the value of each block."""
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
        document.fault(path, f"expected endpoints, found {found(root)}")


def _block(document: Document, path: Path, value: Any) -> EndpointBlock | None:
    if not isinstance(value, dict):
        document.fault(path, f"expected an endpoint, a mapping with a `type`, found {found(value)}")
        return None
    try:
        block = EndpointBlock.model_validate({key: each for key, each in value.items() if each is not None})
    except ValidationError as error:
        for each in error.errors(include_url=False):
            document.fault((*path, *each["loc"]), *explain(each, EndpointBlock))
        return None
    _check(document, path, block)
    return block


def _check(document: Document, path: Path, block: EndpointBlock) -> None:
    form = _FORMS[block.type]
    for key in _TAIL_ONLY:
        if key in block.model_fields_set and key not in form.takes:
            document.fault((*path, key), f"is not for `type: {block.type}`", "remove it, or change the type")
    if not any(getattr(block, key) for key in form.named_by):
        document.fault(path, f"has no `{form.named_by[0]}`", form.example)


class _Writer:
    """Writes block after block; names that are taken get a number."""

    def __init__(self, keep_secrets: bool) -> None:
        self.providers: dict[str, Any] = {}
        self.models: dict[str, str] = {}
        self.notes: list[str] = []
        self._keep_secrets = keep_secrets

    def add(self, name: str, where: str, block: EndpointBlock) -> None:
        kind, model, provider = _FORMS[block.type].write(block)
        name = self._free(name or kind)
        if name == provider.get("kind"):
            del provider["kind"]
        self.providers[name] = self._hidden(provider, name, where)
        alias = self._alias(block.model or model.rpartition("/")[2], name)
        self.models[alias] = f"{name}/{model}"
        self._note(where, block, name)

    def _free(self, name: str) -> str:
        name, number = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.") or "endpoint", 1
        taken = name
        while taken in self.providers:
            number += 1
            taken = f"{name}-{number}"
        return taken

    def _alias(self, alias: str, name: str) -> str:
        return alias if alias not in self.models else f"{alias}@{name}"

    def _hidden(self, value: Any, name: str, where: str, secret: bool = False) -> Any:
        """Return a value with a variable in the place of every secret that is written out."""
        if isinstance(value, dict):
            return {
                key: self._hidden(each, f"{name}_{key}", where, secret or bool(_SECRET.search(key)))
                for key, each in value.items()
            }
        if isinstance(value, list):
            return [self._hidden(each, f"{name}_{number}", where, secret) for number, each in enumerate(value)]
        if not isinstance(value, str) or _REFERENCE.fullmatch(value):
            return value
        if not secret or self._keep_secrets:
            return value.replace("$$", "$$$$")  # two are one to whoever reads the file
        variable = re.sub(r"[^A-Za-z0-9]+", "_", name.replace("_params_", "_")).upper()
        self.notes.append(f"{where}: a secret is written out; export it as {variable}")
        return f"${{{variable}}}"

    def _note(self, where: str, block: EndpointBlock, name: str) -> None:
        if block.socket_path is not None:
            self.notes.append(f"{where}: socket_path is left out; the gateway makes a socket of its own for LiteLLM")
        if "num_parallel_tasks" in block.model_fields_set:
            count = block.num_parallel_tasks
            self.notes.append(f"{where}: num_parallel_tasks ({count}) stays with the program that calls the gateway")

    def direct(self) -> tuple[str, ...]:
        """Return the kinds that are reached through LiteLLM here and need not be."""
        kinds = load_kinds()
        tails = {provider.get("kind", name) for name, provider in self.providers.items() if "via" in provider}
        return tuple(sorted(tails & kinds.keys()))


def _direct(block: EndpointBlock) -> _Account:
    told = _common(block)
    model = block.model or ""
    if block.base_url is None:
        return block.type, model, {"kind": block.type, **told}
    host = urlsplit(block.base_url).hostname or ""
    kind = next((kind for kind in load_kinds().values() if urlsplit(kind.base_url).hostname == host), None)
    if kind is None or kind.params:
        return host, model, {"kind": COMPATIBLE, **told}
    if kind.base_url.rstrip("/") == block.base_url.rstrip("/"):
        del told["base_url"]
    return kind.name, model, {"kind": kind.name, **told}


def _tail(block: EndpointBlock) -> _Account:
    full = block.litellm_model or block.model or ""
    prefix, _, rest = full.partition("/")
    if not rest or prefix not in known().providers:
        prefix, rest = next((owner for start, owner in known().bare.items() if full.startswith(start)), ""), full
    provider: dict[str, Any] = {"kind": prefix or "litellm", **({"via": "litellm"} if prefix else {}), **_common(block)}
    if block.api_version is not None:
        provider["api_version"] = block.api_version
    if block.extra_params:
        provider["params"] = plain(block.extra_params)
    return provider["kind"], rest, provider


def _common(block: EndpointBlock) -> dict[str, Any]:
    told: dict[str, Any] = {"base_url": block.base_url, "api_key": block.api_key}
    told = {key: str(value) for key, value in told.items() if value is not None}
    seconds = float(block.timeout)
    return {**told, "timeouts": {"total": int(seconds) if seconds.is_integer() else seconds}}


class _Form(NamedTuple):
    """How blocks of one type are checked and written."""

    write: Callable[[EndpointBlock], _Account]
    takes: tuple[str, ...]
    """Which of the fields that are not every type's it has."""
    named_by: tuple[str, ...]
    """The fields of which one must name the model."""
    example: str


_FORMS = {
    "openai": _Form(_direct, (), ("model",), "name the model that the endpoint calls"),
    "litellm": _Form(_tail, _TAIL_ONLY, ("litellm_model", "model"), "give LiteLLM's model string, such as azure/gpt-4"),
}
