"""Providers whose wire we do not speak: LiteLLM does, in a process of its own, and speaks the OpenAI wire to us.

``via: litellm`` makes any of LiteLLM's providers one of ours: ``kind`` (default: the name) is LiteLLM's name for it and
goes before the model. A provider of kind ``litellm`` takes models as LiteLLM's own full strings, ``azure/my-gpt``.
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
"""The scheme of the origin; the engine's table of transports says who goes there."""
CALL_HEADER = "x-longtail-call"
"""Carries :class:`Tail`'s envelope, JSON in base64: model, and parameters that may be credentials."""

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
"""What ``via`` may name, and the row it stands for."""

OWN_PARAMS: Mapping[str, str] = {
    "api_key": "use `api_key` of the provider",
    "messages": "it comes with the call",
    "input": "it comes with the call",
    "model": "it comes with the call",
    "stream": "it comes with the call",
    "max_retries": "the gateway has the one retry engine",
    "num_retries": "the gateway has the one retry engine",
}
"""Parameters that are not a configuration's to give, and why."""


class Known(msgspec.Struct, frozen=True):
    """LiteLLM's own names of its providers, and the version they were read from."""

    litellm: str
    bare: dict[str, str]
    """Beginnings of names that belong to one maker: LiteLLM forgets whose a bare name is when a model is retired."""
    providers: frozenset[str]


@cache
def known() -> Known:
    """Return what the pinned LiteLLM knows."""
    return msgspec.json.decode(Path(__file__).with_name("longtail.json").read_bytes(), type=Known)


def row(via: str | None, name: str) -> Kind | None:
    """Return the kind of a provider that is reached through LiteLLM, or ``None`` where it is not."""
    if via is None:
        return VIAS.get(name)
    kind = VIAS[via]
    if name in VIAS:
        return kind
    # LiteLLM's own convention; what is named otherwise is given as `api_key`.
    variable = "".join(char if char.isalnum() else "_" for char in name).upper() + "_API_KEY"
    return msgspec.structs.replace(kind, name=name, env=(variable,))


class Tail(msgspec.Struct, frozen=True, eq=False):
    """What LiteLLM is told of a provider beside its key. Every value may be a credential."""

    via: str
    prefix: str = ""
    base_url: str = ""
    params: dict[str, Any] = {}

    def __repr__(self) -> str:
        return f"Tail({self.via}, {self.prefix})"

    def headers(self, model: str) -> tuple[tuple[str, str], ...]:
        """Return the header that tells LiteLLM's process which model is meant, and with which parameters."""
        prefix = self.prefix
        if not prefix and "/" not in model:
            owner = next((owner for start, owner in known().bare.items() if model.startswith(start)), "")
            prefix = f"{owner}/" if owner else ""
        envelope = msgspec.json.encode({"model": prefix + model, "params": self.params})
        return ((CALL_HEADER, base64.b64encode(envelope).decode("ascii")),)


def tail(
    kind: Kind,
    via: str | None,
    base_url: str | None,
    api_version: str | None,
    headers: Mapping[str, str],
    params: Mapping[str, Any],
) -> Tail:
    """Return what a configuration says of a provider, as LiteLLM's own parameters."""
    given: dict[str, Any] = {"api_base": base_url, "api_version": api_version, "extra_headers": dict(headers)}
    told = {key: value for key, value in given.items() if value} | {key: plain(each) for key, each in params.items()}
    prefix = "" if kind.name in VIAS else f"{kind.name}/"
    return Tail(via or kind.name, prefix, base_url or "", told)


def plain(value: Any) -> Any:
    """Return a configuration's value without what the file's reader noted with it."""
    if isinstance(value, dict):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [plain(each) for each in value]
    if isinstance(value, str):
        return str(value)
    if isinstance(value, float):
        return float(value)
    return value


def check_base_url(text: str) -> None:
    """Raise ``ValueError`` where LiteLLM could not use an address; a socket file is of no use to it."""
    if parse_address(text).origin.path:
        raise ValueError("must start with http:// or https://")
