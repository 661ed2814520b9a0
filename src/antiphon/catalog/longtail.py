"""Providers reached through LiteLLM, which runs in its own process and speaks the OpenAI wire to Antiphon.

``via: litellm`` makes any of LiteLLM's providers available: ``kind`` (default: the name) is LiteLLM's name for it, used
as the prefix of the model. A provider of kind ``litellm`` takes LiteLLM's full model strings, such as ``azure/my-gpt``.
"""

import base64
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from antiphon.catalog.address import parse_address
from antiphon.catalog.kinds import Kind

SCHEME = "longtail"
"""The scheme of the origin, which the engine's table of transports maps to a transport."""
CALL_HEADER = "x-longtail-call"
"""Carries the envelope of :class:`LongtailAccount`, JSON in base64: the model, and parameters that may be secret."""

VIAS: Mapping[str, Kind] = {
    "litellm": Kind(
        title="LiteLLM",
        docs="https://docs.litellm.ai/docs/providers",
        name="litellm",
        base_url=f"{SCHEME}://litellm/v1",
        key="optional",
        listed=False,
        operations={
            "chat": "/chat/completions",
            "completions": "/completions",
            "embeddings": "/embeddings",
            "rerank": "/rerank",
            "moderations": "/moderations",
            "images": "/images/generations",
            "speech": "/audio/speech",
            "transcriptions": "/audio/transcriptions",
        },
    )
}
"""The values of ``via``, each with its row."""

OWN_PARAMS: Mapping[str, str] = {
    "api_key": "use the provider's `api_key`",
    "messages": "it comes with the call",
    "input": "it comes with the call",
    "model": "it comes with the call",
    "stream": "it comes with the call",
    "max_retries": "the gateway does all retries",
    "num_retries": "the gateway does all retries",
}
"""Parameters that a configuration must not give, each with a hint."""


class LongtailNames(msgspec.Struct, frozen=True):
    """LiteLLM's names for its providers, and the version of LiteLLM they were read from."""

    litellm: str
    model_prefixes: dict[str, str]
    """Beginning of a model name to its provider: LiteLLM itself forgets the provider when a model is retired."""
    providers: frozenset[str]


@cache
def load_names() -> LongtailNames:
    """Return the names that the pinned LiteLLM knows."""
    return msgspec.json.decode(Path(__file__).with_name("longtail.json").read_bytes(), type=LongtailNames)


def find_kind(via: str | None, name: str) -> Kind | None:
    """Return the kind of a provider that is reached through LiteLLM, or ``None`` for any other provider."""
    if via is None:
        return VIAS.get(name)
    kind = VIAS[via]
    if name in VIAS:
        return kind
    # LiteLLM's convention; for a variable with another name, the configuration gives `api_key`.
    variable = "".join(char if char.isalnum() else "_" for char in name).upper() + "_API_KEY"
    return msgspec.structs.replace(kind, name=name, env=(variable,))


class LongtailAccount(msgspec.Struct, frozen=True, eq=False):
    """A provider behind LiteLLM: the parameters that LiteLLM gets besides the key. Every value may be a credential."""

    via: str
    prefix: str = ""
    base_url: str = ""
    params: dict[str, Any] = {}

    def __repr__(self) -> str:
        return f"LongtailAccount({self.via}, {self.prefix})"

    def make_headers(self, model: str) -> tuple[tuple[str, str], ...]:
        """Return the header that tells LiteLLM's process the model and its parameters."""
        prefix = self.prefix
        if not prefix and "/" not in model:
            prefixes = load_names().model_prefixes.items()
            provider = next((provider for start, provider in prefixes if model.startswith(start)), "")
            prefix = f"{provider}/" if provider else ""
        envelope = msgspec.json.encode({"model": prefix + model, "params": self.params})
        return ((CALL_HEADER, base64.b64encode(envelope).decode("ascii")),)


def make_account(
    kind: Kind,
    via: str | None,
    base_url: str | None,
    api_version: str | None,
    headers: Mapping[str, str],
    params: Mapping[str, Any],
) -> LongtailAccount:
    """Return a configured provider with LiteLLM's own parameters."""
    settings: dict[str, Any] = {"api_base": base_url, "api_version": api_version, "extra_headers": dict(headers)}
    settings = {key: value for key, value in settings.items() if value}
    settings |= {key: to_builtins(value) for key, value in params.items()}
    prefix = "" if kind.name in VIAS else f"{kind.name}/"
    return LongtailAccount(via or kind.name, prefix, base_url or "", settings)


def to_builtins(value: Any) -> Any:
    """Return a configured value without the notes that the file's reader attached to it."""
    if isinstance(value, dict):
        return {str(key): to_builtins(item) for key, item in value.items()}
    if isinstance(value, list):
        return [to_builtins(item) for item in value]
    if isinstance(value, str):
        return str(value)
    if isinstance(value, float):
        return float(value)
    return value


def check_base_url(text: str) -> None:
    """Raise ``ValueError`` for an address that LiteLLM cannot use, such as a socket file."""
    if parse_address(text).origin.path:
        raise ValueError("must start with http:// or https://")
