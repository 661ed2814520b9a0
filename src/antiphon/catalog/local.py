"""Models on this machine, as a configuration names them: a name for each folder or name of the hub.

A request carries the models of its provider, so that the transport needs no configuration of its own. A caller chooses
among the names and never sees, let alone gives, a place.
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
MOST_DIMENSIONS = 8192
"""Of the hashing embedder, whose models are ``hash-1`` to ``hash-8192`` without being configured."""
HASH_CONTEXT = 32_768
"""Words in one text; a longer one is refused."""

HUB_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9._-]+")
"""What may be a model's name at the hub: an owner and a name."""
_HASH = re.compile(r"hash-([1-9][0-9]{0,3})")


def hash_size(model: str) -> int | None:
    """Return the dimensions of a hashing embedder by its name, or ``None`` for any other name."""
    match = _HASH.fullmatch(model)
    size = int(match[1]) if match else 0
    return size if 0 < size <= MOST_DIMENSIONS else None


def facts_of(model: str, price: Price | None) -> ModelFacts:
    """Return what is known of a model without looking at its files."""
    size = hash_size(model)
    return ModelFacts("embeddings", HASH_CONTEXT if size else None, price=price, dimensions=size)


def headers_of(models: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Return the headers of a request to a provider with these models."""
    return ((MODELS_HEADER, base64.b64encode(msgspec.json.encode(models)).decode()),) if models else ()


def models_in(value: bytes) -> dict[str, str]:
    """Return the models that a header's value carries; none where there is no such header."""
    return msgspec.json.decode(base64.b64decode(value), type=dict[str, str]) if value else {}


def address_of(provider: str, address: Address) -> Address:
    """Return the address of a provider, which is its name: each has models and processes of its own."""
    return Address(msgspec.structs.replace(address.origin, host=provider), address.prefix)


def placed(models: Mapping[str, str]) -> dict[str, str]:
    """Return configured models with the folders among them as they are found from any working directory."""
    folders = {name: Path(source).expanduser() for name, source in models.items()}
    return {name: str(path.resolve()) if path.is_dir() else models[name] for name, path in folders.items()}


def problems(models: Mapping[str, str]) -> dict[str, str]:
    """Return what is wrong with configured models, by name; a name of the hub is looked for when it is first used."""
    found = {}
    for name, source in models.items():
        if _HASH.fullmatch(name):
            found[name] = "is a name of the hashing embedder, which is there already"
        elif not HUB_NAME.fullmatch(source) and not Path(source).expanduser().is_dir():
            found[name] = f"there is no folder {source}, and a name of the hub is like org/name"
    return found
