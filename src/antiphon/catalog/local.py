"""Models on this machine, as configured: each name with a folder, or with the model's name at the Hugging Face hub.

A request carries the models of its provider, so that the transport needs no configuration of its own. Callers choose
among the names; they can neither see nor set a folder.
"""

import base64
import re
from collections.abc import Mapping
from pathlib import Path

import msgspec

from antiphon.catalog.address import Address
from antiphon.catalog.models import ModelFacts
from antiphon.types import Price

MODELS_HEADER = "x-local-models"
MAX_DIMENSIONS = 8192
"""The limit of the hashing embedder, whose models ``hash-1`` to ``hash-8192`` need no configuration."""
HASH_CONTEXT = 32_768
"""The most words in one text; a longer text is rejected."""

HUB_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9._-]+")
"""A model's name at the hub: an owner and a name."""
_HASH = re.compile(r"hash-([1-9][0-9]{0,3})")


def parse_hash_size(model: str) -> int | None:
    """Return the dimensions in the name of a hashing embedder, or ``None`` for any other name."""
    match = _HASH.fullmatch(model)
    size = int(match[1]) if match else 0
    return size if 0 < size <= MAX_DIMENSIONS else None


def make_facts(model: str, price: Price | None) -> ModelFacts:
    """Return what is known about a model without reading its files."""
    size = parse_hash_size(model)
    return ModelFacts("embeddings", HASH_CONTEXT if size else None, price=price, dimensions=size)


def encode_models(models: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Return the request headers that carry the provider's models."""
    return ((MODELS_HEADER, base64.b64encode(msgspec.json.encode(models)).decode()),) if models else ()


def decode_models(value: bytes) -> dict[str, str]:
    """Return the models in the value of :data:`MODELS_HEADER`; an empty value means none."""
    return msgspec.json.decode(base64.b64decode(value), type=dict[str, str]) if value else {}


def make_address(provider: str, address: Address) -> Address:
    """Return the address of a provider, whose host is its name: each has its own models and processes."""
    return Address(msgspec.structs.replace(address.origin, host=provider), address.prefix)


def resolve_folders(models: Mapping[str, str]) -> dict[str, str]:
    """Return the configured models with absolute paths, so that they do not depend on the working directory."""
    folders = {name: Path(source).expanduser() for name, source in models.items()}
    return {name: str(path.resolve()) if path.is_dir() else models[name] for name, path in folders.items()}


def find_problems(models: Mapping[str, str]) -> dict[str, str]:
    """Return model name to what is wrong with its source; names at the hub are not looked up before their first use."""
    problems = {}
    for name, source in models.items():
        if _HASH.fullmatch(name):
            problems[name] = "is a name of the hashing embedder, which needs no configuration"
        elif not HUB_NAME.fullmatch(source) and not Path(source).expanduser().is_dir():
            problems[name] = f"there is no folder {source}, and a name at the hub has the form org/name"
    return problems
