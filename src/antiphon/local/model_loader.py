"""Loads models in the worker: ONNX or static models from a folder, or by a name at the Hugging Face Hub.

Imported by the worker only. A library is imported when the first model that needs it is loaded.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from antiphon.catalog.local import HUB_NAME
from antiphon.local.messages import Job, JobFailure, JobReply, JobResult
from antiphon.local.model_folder import UnusableModel, read_json

if TYPE_CHECKING:
    import numpy

_HUB_FILES = ("*.json", "*.onnx", "*.onnx_data", "onnx/*", "*/config.json", "model.safetensors", "0_*/*", "vocab.txt")
ONNX_NAMES = ("model", "model_optimized", "model_fp16", "model_quantized", "model_int8", "model_uint8", "model_q4")
"""Names of ONNX files without their suffix, the best first."""
_MAX_REASON = 500


class Embedder(Protocol):
    """A loaded model; ``shorter_sizes`` is as in :class:`~antiphon.local.messages.JobResult`."""

    shorter_sizes: list[int] | None

    def embed(self, texts: list[str]) -> "tuple[numpy.ndarray[Any, Any], list[int]]":
        """Return one row for each text, and how many tokens of it were read."""


class ModelCache:
    """The loaded models, each loaded once."""

    def __init__(self) -> None:
        self._loaded: dict[str, Embedder] = {}

    def answer(self, job: Job) -> JobReply:
        """Return the vectors, or why there are none."""
        try:
            model = self._loaded.get(job.source) or self._load(job.source)
        except UnusableModel as error:
            return JobFailure(error.status, error.code, _hide_path(str(error), job.source))
        try:
            vectors, tokens = model.embed(job.texts)
        except Exception as error:  # noqa: BLE001  a library's error must not end the worker
            problem = f"The model failed on a text: {_describe_error(error)}"
            return JobFailure(500, "model_failed", problem, texts_at_fault=True)
        return _make_reply(vectors, tokens, model.shorter_sizes)

    def _load(self, source: str) -> Embedder:
        try:
            model = load_model(source)
        except ImportError as error:
            # A package that is installed but cannot be imported (a system library is missing) needs its own message.
            reason = "" if isinstance(error, ModuleNotFoundError) else f" ({_describe_error(error)})"
            problem = f"Local models need packages that cannot be imported{reason}: pip install 'antiphon[local]'"
            raise UnusableModel(problem, 501, "missing_extra") from None
        except UnusableModel:
            raise
        except Exception as error:  # noqa: BLE001  a library's error
            raise UnusableModel(f"The model cannot be loaded: {_describe_error(error)}") from None
        self._loaded[source] = model
        return model


def load_model(source: str) -> Embedder:
    """Load a model; raises :class:`UnusableModel`, or what its library raises."""
    folder = Path(source).expanduser()
    if folder.is_dir():
        return load_folder(folder)
    if not HUB_NAME.fullmatch(source):
        problem = f"There is no folder {source}; a model is a folder, or a name of the hub such as org/name."
        raise UnusableModel(problem)
    from antiphon.local import onnx_embedder

    if onnx_embedder.is_known(source):
        return onnx_embedder.load_known(source)
    from huggingface_hub import snapshot_download

    return load_folder(Path(snapshot_download(source, allow_patterns=list(_HUB_FILES))))


def load_folder(folder: Path) -> Embedder:
    """Load the model in a folder; the files in it decide how."""
    if is_static(folder):
        from antiphon.local import static_embedder

        return static_embedder.load_folder(folder)
    file = find_onnx_file(folder)
    if file is None:
        problem = f"{folder} holds no model: neither an ONNX file (model.onnx, onnx/model.onnx) nor a static model"
        raise UnusableModel(f"{problem} (model.safetensors with tokenizer.json and config.json).")
    from antiphon.local import onnx_embedder

    return onnx_embedder.load_folder(folder, file)


def is_static(folder: Path) -> bool:
    """Return whether a folder holds a static model, even if it also holds an ONNX file."""
    types = [str(module.get("type", "")) for module in read_json(folder / "modules.json", [])]
    return read_json(folder / "config.json", {}).get("model_type") == "model2vec" or any(
        name.endswith("StaticEmbedding") for name in types
    )


def find_onnx_file(folder: Path) -> str | None:
    """Return the best ONNX file of a folder, relative to it."""
    files = [*folder.glob("*.onnx"), *folder.glob("onnx/*.onnx")]
    ranks = {name: rank for rank, name in enumerate(ONNX_NAMES)}
    files.sort(key=lambda path: (ranks.get(path.stem, len(ranks)), len(path.parts), path.name))
    return str(files[0].relative_to(folder)) if files else None


def _make_reply(vectors: "numpy.ndarray[Any, Any]", tokens: list[int], shorter_sizes: list[int] | None) -> JobReply:
    import numpy

    rows = numpy.ascontiguousarray(vectors, dtype="<f4")
    if rows.ndim != 2 or len(rows) != len(tokens):
        problem = f"The model gave an output of shape {rows.shape} for {len(tokens)} texts; expected one row for each."
        return JobFailure(500, "model_broken", problem)
    if not numpy.isfinite(rows).all():
        return JobFailure(500, "model_failed", "The model gave numbers that are not finite.", texts_at_fault=True)
    return JobResult(rows.tobytes(), rows.shape[1], tokens, shorter_sizes)


def _hide_path(message: str, source: str) -> str:
    """Return a message that callers may see: they know the name of a model, but must not learn its place."""
    for place in (str(Path(source).expanduser().resolve()), str(Path(source).expanduser())):
        if "/" in place.strip("./"):
            message = message.replace(place, "…")
    return message


def _describe_error(error: BaseException) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= _MAX_REASON else text[:_MAX_REASON] + "…"
