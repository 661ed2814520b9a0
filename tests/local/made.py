"""Small real models: ONNX files with tokenizer and settings as sentence-transformers has them, and static ones."""

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
from antiphon.transport.head import build_head
from antiphon.transport.seam import Request
from antiphon.types import Origin

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *(f"w{number}" for number in range(60))]
SIZE = 8
LONGEST = 16


class Model(NamedTuple):
    """A folder, and the table of vectors its model looks tokens up in."""

    folder: Path
    table: Any

    def token(self, word: str) -> Any:
        return self.table[WORDS.index(word)].astype(numpy.float64)

    def mean(self, text: str, *, framed: bool = True) -> Any:
        """What a mean-pooled, normalised model of this table gives for a text of known words."""
        words = text.split()[: LONGEST - 2]
        rows = [self.token(word) for word in (["[CLS]", *words, "[SEP]"] if framed else words)]
        return unit(numpy.mean(rows, axis=0))


def unit(vector: Any) -> Any:
    return vector / numpy.linalg.norm(vector)


def tokenizer(*, framed: bool = True) -> Tokenizer:
    made = Tokenizer(WordLevel({word: number for number, word in enumerate(WORDS)}, unk_token="[UNK]"))
    made.pre_tokenizer = Whitespace()
    if framed:
        special = [("[CLS]", WORDS.index("[CLS]")), ("[SEP]", WORDS.index("[SEP]"))]
        made.post_processor = TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=special)
    return made


def table(seed: int, size: int = SIZE) -> Any:
    return numpy.random.default_rng(seed).normal(size=(len(WORDS), size)).astype(numpy.float32)


def onnx_file(path: Path, vectors: Any, *, pooled: bool = False) -> None:
    """A model that looks its tokens up; with ``pooled`` it gives the first token's vector itself."""
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
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(made, str(path))


def onnx_folder(
    folder: Path,
    *,
    seed: int = 1,
    file: str = "model.onnx",
    pooling: dict[str, Any] | None = None,
    normalised: bool | None = None,
    pooled: bool = False,
    config: dict[str, Any] | None = None,
) -> Model:
    """Without ``pooling`` and ``normalised`` there is nothing of sentence-transformers in the folder."""
    vectors = table(seed)
    onnx_file(folder / file, vectors, pooled=pooled)
    tokenizer().save(str(folder / "tokenizer.json"))
    write(folder / "tokenizer_config.json", {"model_max_length": LONGEST, "pad_token": "[PAD]"})
    write(folder / "config.json", {"hidden_size": SIZE, "pad_token_id": 0, **(config or {})})
    if pooling is not None:
        write(folder / "1_Pooling" / "config.json", pooling)
    if normalised is not None:
        steps = ["Transformer", "Pooling", *(["Normalize"] if normalised else [])]
        types = [{"idx": at, "type": f"sentence_transformers.models.{step}"} for at, step in enumerate(steps)]
        write(folder / "modules.json", types)
    return Model(folder, vectors)


def holed_folder(folder: Path) -> Model:
    """A model that fails on the word ``boom``: its tokenizer has a number for it, its table has no row."""
    made = onnx_folder(folder)
    words = Tokenizer.from_file(str(folder / "tokenizer.json"))
    words.add_tokens(["boom"])
    words.save(str(folder / "tokenizer.json"))
    return made


def heavy_folder(folder: Path, width: int = 1536, layers: int = 40) -> Model:
    """A model with so many products of matrices that a batch takes about a second."""
    made = onnx_folder(folder)
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
    return made


def static_folder(folder: Path, *, seed: int = 2, config: dict[str, Any] | None = None) -> Model:
    vectors = table(seed)
    model = StaticModel(vectors, tokenizer(framed=False), config=config, normalize=True, max_length=LONGEST)
    model.save_pretrained(folder)
    return Model(folder, vectors)


def write(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))


class Configured(LocalTransport):
    """A transport, and the models that a configuration would have: provider to name to folder."""

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
        assert self.status != 200, "expected a refusal"
        return self.json["error"]


async def ask(transport: Configured, model: str, texts: Any, *, provider: str = "local", **fields: Any) -> Answer:
    """Send one embeddings request through the seam, as the engine does."""
    body = msgspec.json.encode({"model": model, "input": texts, **fields})
    return await send(transport, body, provider=provider)


async def send(
    transport: Configured,
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
