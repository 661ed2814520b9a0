"""Static models: a vector for each token, averaged; loaded by model2vec. Imported by the worker only."""

from pathlib import Path
from typing import Any

import numpy
from model2vec import StaticModel

from antiphon.local.model_folder import read_json, read_shorter_sizes


def load_folder(folder: Path) -> "StaticEmbedder":
    """Load the model in a folder; raises what model2vec raises."""
    # After a principal component analysis the first numbers hold the most information, so any size is useful.
    any_size = bool(read_json(folder / "config.json", {}).get("apply_pca"))
    return StaticEmbedder(StaticModel.from_pretrained(folder), None if any_size else read_shorter_sizes(folder))


class StaticEmbedder:
    """See :class:`antiphon.local.model_loader.Embedder`."""

    def __init__(self, model: StaticModel, shorter_sizes: list[int] | None) -> None:
        self._model = model
        self.shorter_sizes = shorter_sizes

    def embed(self, texts: list[str]) -> "tuple[numpy.ndarray[Any, Any], list[int]]":
        """Return one row for each text, and the number of its tokens that the vocabulary has."""
        model = self._model
        if model.max_length is not None:  # the model cuts texts the same way, so the count is that of the tokens read
            texts = [text[: model.max_length * model.median_token_length] for text in texts]
        tokens = [len(ids) for ids in model.tokenize(texts)]
        return model.encode(texts, use_multiprocessing=False), tokens
