"""Small real models: ONNX files with tokenizer and settings as sentence-transformers writes them, and static ones."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy
import onnx
from model2vec import StaticModel
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing

from antiphon.catalog.local import encode_models
from antiphon.local.transport import LocalTransport
from antiphon.transport.interface import Request
from antiphon.transport.request_head import build_head
from antiphon.types import Origin

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *(f"w{number}" for number in range(60))]
SIZE = 8
MAX_LENGTH = 16


class Model(NamedTuple):
    """A folder, and the table in which its model looks up the vectors of tokens."""

    folder: Path
    table: Any

    def get_token(self, word: str) -> Any:
        return self.table[WORDS.index(word)].astype(numpy.float64)

    def compute_mean(self, text: str, *, framed: bool = True) -> Any:
        """Return the vector that a mean-pooled, normalised model of this table gives for a text of known words."""
        words = text.split()[: MAX_LENGTH - 2]
        rows = [self.get_token(word) for word in (["[CLS]", *words, "[SEP]"] if framed else words)]
        return normalize(numpy.mean(rows, axis=0))


def normalize(vector: Any) -> Any:
    return vector / numpy.linalg.norm(vector)


def make_tokenizer(*, framed: bool = True) -> Tokenizer:
    tokenizer = Tokenizer(WordLevel({word: number for number, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    if framed:
        special = [("[CLS]", WORDS.index("[CLS]")), ("[SEP]", WORDS.index("[SEP]"))]
        tokenizer.post_processor = TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=special)
    return tokenizer


def make_table(seed: int, size: int = SIZE) -> Any:
    return numpy.random.default_rng(seed).normal(size=(len(WORDS), size)).astype(numpy.float32)


def write_onnx_file(path: Path, vectors: Any, *, pooled: bool = False) -> None:
    """Write a model that looks up its tokens; with ``pooled`` its output is the first token's vector."""
    ids = helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["batch", "length"])
    mask = helper.make_tensor_value_info("attention_mask", TensorProto.INT64, ["batch", "length"])
    shape = ["batch", vectors.shape[1]] if pooled else ["batch", "length", vectors.shape[1]]
    output = helper.make_tensor_value_info("out", TensorProto.FLOAT, shape)
    initial = [numpy_helper.from_array(vectors, "table")]
    nodes = [helper.make_node("Gather", ["table", "input_ids"], ["tokens" if pooled else "out"], axis=0)]
    if pooled:
        initial.append(numpy_helper.from_array(numpy.array(0, numpy.int64), "first"))
        nodes.append(helper.make_node("Gather", ["tokens", "first"], ["out"], axis=1))
    graph = helper.make_graph(nodes, "lookup", [ids, mask], [output], initial)
    path.parent.mkdir(parents=True, exist_ok=True)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, str(path))


def make_onnx_folder(
    folder: Path,
    *,
    seed: int = 1,
    file: str = "model.onnx",
    pooling: dict[str, Any] | None = None,
    normalised: bool | None = None,
    pooled: bool = False,
    config: dict[str, Any] | None = None,
) -> Model:
    """Make a folder with an ONNX model; without ``pooling`` and ``normalised`` no sentence-transformers files."""
    vectors = make_table(seed)
    write_onnx_file(folder / file, vectors, pooled=pooled)
    make_tokenizer().save(str(folder / "tokenizer.json"))
    write_json(folder / "tokenizer_config.json", {"model_max_length": MAX_LENGTH, "pad_token": "[PAD]"})
    write_json(folder / "config.json", {"hidden_size": SIZE, "pad_token_id": 0, **(config or {})})
    if pooling is not None:
        write_json(folder / "1_Pooling" / "config.json", pooling)
    if normalised is not None:
        steps = ["Transformer", "Pooling", *(["Normalize"] if normalised else [])]
        types = [{"idx": at, "type": f"sentence_transformers.models.{step}"} for at, step in enumerate(steps)]
        write_json(folder / "modules.json", types)
    return Model(folder, vectors)


def make_failing_folder(folder: Path) -> Model:
    """Make a model that fails on the word ``boom``: its tokenizer has a number for it, its table has no row."""
    model = make_onnx_folder(folder)
    words = Tokenizer.from_file(str(folder / "tokenizer.json"))
    words.add_tokens(["boom"])
    words.save(str(folder / "tokenizer.json"))
    return model


def make_heavy_folder(folder: Path, width: int = 1536, layers: int = 40) -> Model:
    """Make a model with so many products of matrices that a batch takes about a second."""
    model = make_onnx_folder(folder)
    graph = onnx.load(str(folder / "model.onnx")).graph
    rng = numpy.random.default_rng(9)
    wide, square, narrow = ((SIZE, width), (width, width), (width, SIZE))
    weights = {name: rng.normal(size=shape) / 40 for name, shape in (("a", wide), ("b", square), ("c", narrow))}
    graph.initializer.extend(
        numpy_helper.from_array(value.astype(numpy.float32), name) for name, value in weights.items()
    )
    graph.node[-1].output[0] = "step0"
    names = ["a", *["b"] * layers, "c"]
    for at, name in enumerate(names):
        output = "out" if at == len(names) - 1 else f"step{at + 1}"
        graph.node.append(helper.make_node("MatMul", [f"step{at}", name], [output]))
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), str(folder / "model.onnx")
    )
    return model


def make_static_folder(folder: Path, *, seed: int = 2, config: dict[str, Any] | None = None) -> Model:
    vectors = make_table(seed)
    model = StaticModel(vectors, make_tokenizer(framed=False), config=config, normalize=True, max_length=MAX_LENGTH)
    model.save_pretrained(folder)
    return Model(folder, vectors)


def write_json(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))


class ConfiguredTransport(LocalTransport):
    """A transport with the models of a configuration: provider to name to folder."""

    def __init__(self, models: dict[str, dict[str, str]] | None = None) -> None:
        super().__init__()
        self.models = models or {}


class Answer(NamedTuple):
    status: int
    headers: dict[bytes, bytes]
    json: Any

    @property
    def vectors(self) -> Any:
        assert self.status == 200, self.json
        return numpy.array([entry["embedding"] for entry in self.json["data"]])

    @property
    def error(self) -> Any:
        assert self.status != 200, "expected an error"
        return self.json["error"]


async def ask(
    transport: ConfiguredTransport, model: str, texts: Any, *, provider: str = "local", **fields: Any
) -> Answer:
    """Send one embeddings request through the seam, as the engine does."""
    body = msgspec.json.encode({"model": model, "input": texts, **fields})
    return await send(transport, body, provider=provider)


async def send(
    transport: ConfiguredTransport,
    body: bytes,
    *,
    provider: str = "local",
    path: str = "/v1/embeddings",
    method: str = "POST",
) -> Answer:
    origin = Origin("local", provider, 0)
    head = build_head(method, path, encode_models(transport.models.get(provider, {})), origin)
    response = await transport.send(Request(origin, head, body, origin), 5)
    answer = await response.read(2**30)
    response.close()
    return Answer(response.status, dict(response.headers), msgspec.json.decode(answer))
