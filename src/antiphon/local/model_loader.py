"""Models by their source, in the worker: a folder of an ONNX or a static model, or a name of the hub.

Imported by the worker only. The libraries are imported when the first model of their kind is loaded.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from antiphon.catalog.local import HUB_NAME
from antiphon.local.messages import Done, Failed, Job, Reply

if TYPE_CHECKING:
    import numpy

_HUB_FILES = ("*.json", "*.onnx", "*.onnx_data", "onnx/*", "*/config.json", "model.safetensors", "0_*/*", "vocab.txt")
ONNX_NAMES = ("model", "model_optimized", "model_fp16", "model_quantized", "model_int8", "model_uint8", "model_q4")
"""Names of ONNX files without their ending, the best first."""


class Unusable(Exception):
    """A model that cannot be loaded; ``status`` and ``code`` are those of the answer."""

    def __init__(self, message: str, status: int = 500, code: str = "model_broken") -> None:
        super().__init__(message)
        self.status, self.code = status, code


class Embedder(Protocol):
    """A loaded model; ``shorter`` is as in :class:`~antiphon.local.messages.Done`."""

    shorter: list[int] | None

    def embed(self, texts: list[str]) -> "tuple[numpy.ndarray[Any, Any], list[int]]":
        """Return one row for each text, and how many tokens of it were read."""


class Models:
    """The models that were loaded, each once."""

    def __init__(self) -> None:
        self._loaded: dict[str, Embedder] = {}

    def answer(self, job: Job) -> Reply:
        """Return the vectors, or why there are none."""
        try:
            model = self._loaded.get(job.source) or self._load(job.source)
        except Unusable as error:
            return Failed(error.status, error.code, _without_path(str(error), job.source))
        try:
            vectors, tokens = model.embed(job.texts)
        except Exception as error:  # noqa: BLE001  a library's own; the worker goes on
            return Failed(500, "model_failed", f"The model failed on a text: {_reason(error)}", texts_at_fault=True)
        return _done(vectors, tokens, model.shorter)

    def _load(self, source: str) -> Embedder:
        try:
            model = load(source)
        except ImportError as error:
            # One that is there and does not load (a library of the system is missing) needs its own words.
            why = "" if isinstance(error, ModuleNotFoundError) else f" ({_reason(error)})"
            problem = f"Local models need packages that cannot be imported{why}: pip install 'antiphon[local]'"
            raise Unusable(problem, 501, "missing_extra") from None
        except Unusable:
            raise
        except Exception as error:  # noqa: BLE001  a library's own
            raise Unusable(f"The model cannot be loaded: {_reason(error)}") from None
        self._loaded[source] = model
        return model


def load(source: str) -> Embedder:
    """Load a model; raises :class:`Unusable`, or whatever its library raises."""
    folder = Path(source).expanduser()
    if folder.is_dir():
        return from_folder(folder)
    if not HUB_NAME.fullmatch(source):
        raise Unusable(f"There is no folder {source}; a model is a folder, or a name of the hub such as org/name.")
    from antiphon.local import onnx_embedder as onnx

    if onnx.is_known(source):
        return onnx.known(source)
    from huggingface_hub import snapshot_download

    return from_folder(Path(snapshot_download(source, allow_patterns=list(_HUB_FILES))))


def from_folder(folder: Path) -> Embedder:
    """Load the model in a folder by what lies in it."""
    if is_static(folder):
        from antiphon.local import static_embedder as static

        return static.from_folder(folder)
    file = onnx_file(folder)
    if file is None:
        problem = f"{folder} holds no model: neither an ONNX file (model.onnx, onnx/model.onnx) nor a static model"
        raise Unusable(f"{problem} (model.safetensors with tokenizer.json and config.json).")
    from antiphon.local import onnx_embedder as onnx

    return onnx.from_folder(folder, file)


def is_static(folder: Path) -> bool:
    """Say whether a folder holds a static model; such a one may hold an ONNX file, too."""
    types = [str(module.get("type", "")) for module in read_json(folder / "modules.json", [])]
    return read_json(folder / "config.json", {}).get("model_type") == "model2vec" or any(
        name.endswith("StaticEmbedding") for name in types
    )


def onnx_file(folder: Path) -> str | None:
    """Return the best ONNX file of a folder, relative to it."""
    found = [*folder.glob("*.onnx"), *folder.glob("onnx/*.onnx")]
    ranks = {name: rank for rank, name in enumerate(ONNX_NAMES)}
    found.sort(key=lambda path: (ranks.get(path.stem, len(ranks)), len(path.parts), path.name))
    return str(found[0].relative_to(folder)) if found else None


def read_json(path: Path, otherwise: Any) -> Any:
    """Return what a JSON file holds, or ``otherwise`` where there is none; raises :class:`Unusable`."""
    if not path.is_file():
        return otherwise
    try:
        return msgspec.json.decode(path.read_bytes(), type=type(otherwise))
    except msgspec.MsgspecError as error:
        raise Unusable(f"{path} is not what it should be: {error}") from None


def shorter_of(folder: Path) -> list[int] | None:
    """Return the lengths a model of a folder can be cut to; ``None`` is any.

    A model says so itself, by ``is_matryoshka`` or ``matryoshka_dimensions`` in ``config.json`` or
    ``config_sentence_transformers.json``; of any other, the first numbers are not worth more than the rest.
    """
    for name in ("config_sentence_transformers.json", "config.json"):
        config = read_json(folder / name, {})
        sizes = config.get("matryoshka_dimensions")
        if isinstance(sizes, list) and sizes:
            return [size for size in sizes if isinstance(size, int)]
        if config.get("is_matryoshka") is True:
            return None
    return []


def _done(vectors: "numpy.ndarray[Any, Any]", tokens: list[int], shorter: list[int] | None) -> Reply:
    import numpy

    rows = numpy.ascontiguousarray(vectors, dtype="<f4")
    if rows.ndim != 2 or len(rows) != len(tokens):
        problem = f"The model gave an output of shape {rows.shape} for {len(tokens)} texts; expected one row for each."
        return Failed(500, "model_broken", problem)
    if not numpy.isfinite(rows).all():
        return Failed(500, "model_failed", "The model gave numbers that are not finite.", texts_at_fault=True)
    return Done(rows.tobytes(), rows.shape[1], tokens, shorter)


def _without_path(message: str, source: str) -> str:
    """Return a message as a caller may see it: the name of a model is known to callers, its place is not."""
    for place in (str(Path(source).expanduser().resolve()), str(Path(source).expanduser())):
        if "/" in place.strip("./"):
            message = message.replace(place, "…")
    return message


def _reason(error: BaseException) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 500 else text[:500] + "…"
