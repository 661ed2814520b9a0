"""ONNX models, loaded by fastembed from a folder or by a name that it knows. Imported by the worker only."""

import os
from pathlib import Path
from typing import Any

import numpy
from fastembed import TextEmbedding
from fastembed.common.model_description import ModelSource, PoolingType

from antiphon.local.model_folder import UnusableModel, read_json, read_shorter_sizes

_MAX_TEXTS = 64
_MAX_TOKENS = 8192
"""Tokens of one run of the model, padding included."""
_EXECUTION_PROVIDERS = ["CPUExecutionProvider"]
_POOLING = {
    "pooling_mode_cls_token": PoolingType.CLS,
    "pooling_mode_mean_tokens": PoolingType.MEAN,
    "pooling_mode_lasttoken": PoolingType.LAST_TOKEN,
    "cls": PoolingType.CLS,
    "mean": PoolingType.MEAN,
    "lasttoken": PoolingType.LAST_TOKEN,
}
_SUPPORTED_STEPS = frozenset(("Transformer", "Pooling", "Normalize"))


def count_threads() -> int:
    """Return how many threads a model may use: all cores but one, which stays with the gateway's event loop."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores - 1)


def is_known(name: str) -> bool:
    """Return whether fastembed knows a model by its name."""
    return any(name.lower() == str(model["model"]).lower() for model in TextEmbedding.list_supported_models())


def load_known(name: str) -> "OnnxEmbedder":
    """Load a model that fastembed knows, from its cache or the hub; raises what fastembed raises."""
    return OnnxEmbedder(TextEmbedding(name, threads=count_threads(), providers=_EXECUTION_PROVIDERS), [])


def load_folder(folder: Path, file: str) -> "OnnxEmbedder":
    """Load an ONNX file with the tokenizer and the settings beside it; raises what fastembed raises.

    Pooling and normalisation are those of ``modules.json`` and ``1_Pooling/config.json``, which sentence-transformers
    writes; without those files the vector is the mean, normalised.
    """
    steps = [str(step.get("type", "")).rpartition(".")[2] for step in read_json(folder / "modules.json", [])]
    if unsupported := [step for step in steps if step not in _SUPPORTED_STEPS]:
        raise UnusableModel(f"{folder} has steps that cannot be run here: {', '.join(unsupported)} (modules.json).")
    normalised = not steps or "Normalize" in steps
    embedder = _load(folder, file, _read_pooling(folder), normalised)
    if len(embedder.get_output_shape()) == 2:  # the file does the pooling itself
        embedder = _load(folder, file, PoolingType.DISABLED, normalised)
    max_tokens = read_json(folder / "sentence_bert_config.json", {}).get("max_seq_length")
    if isinstance(max_tokens, int) and max_tokens > 0:
        embedder.limit_tokens(max_tokens)
    return embedder


def _read_pooling(folder: Path) -> PoolingType:
    config = read_json(folder / "1_Pooling" / "config.json", {})
    modes = [key for key, value in config.items() if key.startswith("pooling_mode_") and value is True]
    modes = modes or [str(config.get("pooling_mode", "mean"))]
    if len(modes) != 1 or modes[0] not in _POOLING:
        problem = f"{folder} pools by {' and '.join(modes)}, which cannot be done here (1_Pooling/config.json)."
        raise UnusableModel(problem)
    return _POOLING[modes[0]]


def _load(folder: Path, file: str, pooling: PoolingType, normalised: bool) -> "OnnxEmbedder":
    name = f"folder:{folder}:{pooling.value}"
    size = read_json(folder / "config.json", {}).get("hidden_size", 0)
    if name.lower() not in {str(model["model"]).lower() for model in TextEmbedding.list_supported_models()}:
        source = ModelSource(hf=str(folder))  # required, but not used if there is a folder
        TextEmbedding.add_custom_model(name, pooling, normalised, source, size, model_file=file)
    model = TextEmbedding(
        name, threads=count_threads(), providers=_EXECUTION_PROVIDERS, specific_model_path=str(folder)
    )
    return OnnxEmbedder(model, read_shorter_sizes(folder))


class OnnxEmbedder:
    """See :class:`antiphon.local.model_loader.Embedder`."""

    def __init__(self, model: TextEmbedding, shorter_sizes: list[int] | None) -> None:
        self._model = model
        self._tokenizer: Any = getattr(model.model, "tokenizer")  # noqa: B009  not declared by their base class
        self.shorter_sizes = shorter_sizes

    def get_output_shape(self) -> list[Any]:
        """Return the shape of the model's first output; variable dimensions have names instead of numbers."""
        session: Any = getattr(self._model.model, "model")  # noqa: B009
        return list(session.get_outputs()[0].shape)

    def limit_tokens(self, max_tokens: int) -> None:
        """Read at most ``max_tokens`` tokens of a text."""
        truncation = self._tokenizer.truncation or {}
        length = min(max_tokens, truncation.get("max_length", max_tokens))
        self._tokenizer.enable_truncation(max_length=length, direction=truncation.get("direction", "right"))

    def embed(self, texts: list[str]) -> "tuple[numpy.ndarray[Any, Any], list[int]]":
        """Return one row for each text, and how many tokens of it were read.

        Texts of similar length run together, so that a run has little padding.
        """
        tokens = [sum(encoding.attention_mask) for encoding in self._tokenizer.encode_batch(texts)]
        rows: list[Any] = [None] * len(texts)
        for numbers in group_by_length(tokens):
            group = [texts[number] for number in numbers]
            for number, row in zip(numbers, self._model.embed(group, batch_size=len(group)), strict=True):
                rows[number] = row
        return numpy.stack(rows), tokens


def group_by_length(tokens: list[int]) -> list[list[int]]:
    """Return the numbers of the texts of each run, shorter texts first; only a single text may exceed the limits."""
    groups: list[list[int]] = []
    for number in sorted(range(len(tokens)), key=tokens.__getitem__):
        if groups and len(groups[-1]) < _MAX_TEXTS and (len(groups[-1]) + 1) * tokens[number] <= _MAX_TOKENS:
            groups[-1].append(number)
        else:
            groups.append([number])
    return groups
