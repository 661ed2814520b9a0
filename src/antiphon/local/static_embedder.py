"""Static models: a vector for each token, averaged; loaded by model2vec. Imported by the worker only."""

from pathlib import Path
from typing import Any

import numpy
from model2vec import StaticModel

from antiphon.local.model_loader import read_json, shorter_of


def from_folder(folder: Path) -> "StaticEmbedder":
    """Load the model in a folder; raises what model2vec raises."""
    # With principal components, the first numbers say the most, so any length is a good one.
    ordered = bool(read_json(folder / "config.json", {}).get("apply_pca"))
    return StaticEmbedder(StaticModel.from_pretrained(folder), None if ordered else shorter_of(folder))


class StaticEmbedder:
    """See :class:`antiphon.local.model_loader.Embedder`."""

    def __init__(self, model: StaticModel, shorter: list[int] | None) -> None:
        self._model = model
        self.shorter = shorter

    def embed(self, texts: list[str]) -> "tuple[numpy.ndarray[Any, Any], list[int]]":
        """Return one row for each text, and how many of its tokens the vocabulary has."""
        model = self._model
        if model.max_length is not None:  # as the model does itself, so that what is counted is what is read
            texts = [text[: model.max_length * model.median_token_length] for text in texts]
        tokens = [len(ids) for ids in model.tokenize(texts)]
        return model.encode(texts, use_multiprocessing=False), tokens
