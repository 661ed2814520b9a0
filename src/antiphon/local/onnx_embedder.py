"""ONNX models as fastembed loads them: from a folder, or one of those it knows by name. Imported by the worker only."""

import os
from pathlib import Path
from typing import Any

import numpy
from fastembed import TextEmbedding
from fastembed.common.model_description import ModelSource, PoolingType

from antiphon.local.model_loader import Unusable, read_json, shorter_of

_MOST_TEXTS = 64
_MOST_TOKENS = 8192
"""Tokens of one run of the model, padding included."""
_PROVIDERS = ["CPUExecutionProvider"]
_POOLING = {
    "pooling_mode_cls_token": PoolingType.CLS,
    "pooling_mode_mean_tokens": PoolingType.MEAN,
    "pooling_mode_lasttoken": PoolingType.LAST_TOKEN,
    "cls": PoolingType.CLS,
    "mean": PoolingType.MEAN,
    "lasttoken": PoolingType.LAST_TOKEN,
}
_KNOWN_STEPS = frozenset(("Transformer", "Pooling", "Normalize"))


def threads() -> int:
    """Return how many threads a model may use: one core stays with the gateway's loop, where there are several."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores - 1)


def is_known(name: str) -> bool:
    """Say whether fastembed knows a model by its name."""
    return any(name.lower() == str(model["model"]).lower() for model in TextEmbedding.list_supported_models())


def known(name: str) -> "OnnxEmbedder":
    """Load a model that fastembed knows, from its cache or the hub; raises what fastembed raises."""
    return OnnxEmbedder(TextEmbedding(name, threads=threads(), providers=_PROVIDERS), [])


def from_folder(folder: Path, file: str) -> "OnnxEmbedder":
    """Load an ONNX file with the tokenizer and the settings beside it; raises what fastembed raises.

    Pooling and normalisation are those of ``modules.json`` and ``1_Pooling/config.json`` as sentence-transformers
    writes them; without those it is the mean, normalised.
    """
    steps = [str(step.get("type", "")).rpartition(".")[2] for step in read_json(folder / "modules.json", [])]
    if odd := [step for step in steps if step not in _KNOWN_STEPS]:
        raise Unusable(f"{folder} has steps that cannot be run here: {', '.join(odd)} (modules.json).")
    normalised = not steps or "Normalize" in steps
    embedder = _loaded(folder, file, _pooling(folder), normalised)
    if len(embedder.output_shape()) == 2:  # the file does the pooling itself
        embedder = _loaded(folder, file, PoolingType.DISABLED, normalised)
    longest = read_json(folder / "sentence_bert_config.json", {}).get("max_seq_length")
    if isinstance(longest, int) and longest > 0:
        embedder.cut_at(longest)
    return embedder


def _pooling(folder: Path) -> PoolingType:
    config = read_json(folder / "1_Pooling" / "config.json", {})
    wanted = [key for key, value in config.items() if key.startswith("pooling_mode_") and value is True]
    wanted = wanted or [str(config.get("pooling_mode", "mean"))]
    if len(wanted) != 1 or wanted[0] not in _POOLING:
        raise Unusable(f"{folder} pools by {' and '.join(wanted)}, which cannot be done here (1_Pooling/config.json).")
    return _POOLING[wanted[0]]


def _loaded(folder: Path, file: str, pooling: PoolingType, normalised: bool) -> "OnnxEmbedder":
    name = f"folder:{folder}:{pooling.value}"
    size = read_json(folder / "config.json", {}).get("hidden_size", 0)
    if name.lower() not in {str(model["model"]).lower() for model in TextEmbedding.list_supported_models()}:
        source = ModelSource(hf=str(folder))  # required, and never asked where there is a folder
        TextEmbedding.add_custom_model(name, pooling, normalised, source, size, model_file=file)
    model = TextEmbedding(name, threads=threads(), providers=_PROVIDERS, specific_model_path=str(folder))
    return OnnxEmbedder(model, shorter_of(folder))


class OnnxEmbedder:
    """See :class:`antiphon.local.model_loader.Embedder`."""

    def __init__(self, model: TextEmbedding, shorter: list[int] | None) -> None:
        self._model = model
        self._tokenizer: Any = getattr(model.model, "tokenizer")  # noqa: B009  not declared by their base class
        self.shorter = shorter

    def output_shape(self) -> list[Any]:
        """Return the shape of the model's first output; what varies is named, not numbered."""
        session: Any = getattr(self._model.model, "model")  # noqa: B009
        return list(session.get_outputs()[0].shape)

    def cut_at(self, tokens: int) -> None:
        """Read at most so many tokens of a text."""
        now = self._tokenizer.truncation or {}
        longest = min(tokens, now.get("max_length", tokens))
        self._tokenizer.enable_truncation(max_length=longest, direction=now.get("direction", "right"))

    def embed(self, texts: list[str]) -> "tuple[numpy.ndarray[Any, Any], list[int]]":
        """Return one row for each text, and how many tokens of it were read.

        Texts of similar length run together, so that little of a run is padding.
        """
        tokens = [sum(encoding.attention_mask) for encoding in self._tokenizer.encode_batch(texts)]
        rows: list[Any] = [None] * len(texts)
        for run in runs(tokens):
            chosen = [texts[number] for number in run]
            for number, row in zip(run, self._model.embed(chosen, batch_size=len(chosen)), strict=True):
                rows[number] = row
        return numpy.stack(rows), tokens


def runs(tokens: list[int]) -> list[list[int]]:
    """Return the numbers of the texts of each run: the shorter first, no run over the caps unless of one text."""
    found: list[list[int]] = []
    for number in sorted(range(len(tokens)), key=tokens.__getitem__):
        if found and len(found[-1]) < _MOST_TEXTS and (len(found[-1]) + 1) * tokens[number] <= _MOST_TOKENS:
            found[-1].append(number)
        else:
            found.append([number])
    return found
