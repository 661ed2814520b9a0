"""What the files of a model's folder say of it, and the error for a folder that holds no usable model."""

from pathlib import Path
from typing import Any

import msgspec


class UnusableModel(Exception):
    """A model that cannot be loaded; ``status`` and ``code`` are those of the answer."""

    def __init__(self, message: str, status: int = 500, code: str = "model_broken") -> None:
        super().__init__(message)
        self.status, self.code = status, code


def read_json(path: Path, default: Any) -> Any:
    """Return the contents of a JSON file, or ``default`` if there is no file.

    Raises :class:`UnusableModel` if the contents are not of the default's type.
    """
    if not path.is_file():
        return default
    try:
        return msgspec.json.decode(path.read_bytes(), type=type(default))
    except msgspec.MsgspecError as error:
        raise UnusableModel(f"{path} is not what it should be: {error}") from None


def read_shorter_sizes(folder: Path) -> list[int] | None:
    """Return the sizes to which the vectors of a folder's model can be cut; ``None`` means any.

    A model states them as ``is_matryoshka`` or ``matryoshka_dimensions`` in ``config.json`` or
    ``config_sentence_transformers.json``. In other models the first numbers are worth no more than the rest.
    """
    for name in ("config_sentence_transformers.json", "config.json"):
        config = read_json(folder / name, {})
        sizes = config.get("matryoshka_dimensions")
        if isinstance(sizes, list) and sizes:
            return [size for size in sizes if isinstance(size, int)]
        if config.get("is_matryoshka") is True:
            return None
    return []
