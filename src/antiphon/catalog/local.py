"""Models on this machine, as a configuration names them: a name for each folder or name of the hub."""

import re
from collections.abc import Mapping
from pathlib import Path

MOST_DIMENSIONS = 8192
"""Of the hashing embedder, whose models are ``hash-1`` to ``hash-8192`` without being configured."""

_HASH = re.compile(r"hash-([1-9][0-9]{0,3})")


def hash_size(model: str) -> int | None:
    """Return the dimensions of a hashing embedder by its name, or ``None`` for any other name."""
    match = _HASH.fullmatch(model)
    size = int(match[1]) if match else 0
    return size if 0 < size <= MOST_DIMENSIONS else None


def problems(models: Mapping[str, str]) -> dict[str, str]:
    """Return what is wrong with configured models, by name; a name of the hub is looked for when it is first used."""
    found = {}
    for name, source in models.items():
        if _HASH.fullmatch(name):
            found[name] = "is a name of the hashing embedder, which is there already"
        elif source.startswith((".", "/", "~")) and not Path(source).expanduser().is_dir():
            found[name] = f"there is no folder {source}"
    return found
