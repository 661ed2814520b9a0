"""Vectors of ONNX and static models equal those that numpy computes from the same table, in any layout and batch."""

import asyncio
import base64
from typing import Any

import numpy
import pytest

from local.models import MAX_LENGTH, SIZE, ConfiguredTransport, Model, ask, normalize

pytestmark = pytest.mark.asyncio(loop_scope="module")
TEXT = "w3 w7 w7 w41"


@pytest.mark.parametrize("name", ["mini", "mean"])
async def test_mean_of_the_tokens_normalised(transport: ConfiguredTransport, folders: dict[str, Model], name: str):
    answer = await ask(transport, name, TEXT)
    numpy.testing.assert_allclose(answer.vectors, [folders[name].compute_mean(TEXT)], atol=1e-6)
    assert answer.json["model"] == name
    assert answer.json["usage"] == {"prompt_tokens": 6, "total_tokens": 6}  # with [CLS] and [SEP]


async def test_mean_without_normalisation(transport: ConfiguredTransport, folders: dict[str, Model]):
    (vector,) = (await ask(transport, "raw", TEXT)).vectors
    assert abs(numpy.linalg.norm(vector) - 1) > 0.01
    numpy.testing.assert_allclose(normalize(vector), folders["raw"].compute_mean(TEXT), atol=1e-6)


@pytest.mark.parametrize("name", ["cls", "newer"])
async def test_first_token(transport: ConfiguredTransport, folders: dict[str, Model], name: str):
    (vector,) = (await ask(transport, name, TEXT)).vectors
    numpy.testing.assert_allclose(vector, normalize(folders[name].get_token("[CLS]")), atol=1e-6)


async def test_file_with_its_own_pooling(transport: ConfiguredTransport, folders: dict[str, Model]):
    (vector,) = (await ask(transport, "pooled", TEXT)).vectors
    numpy.testing.assert_allclose(vector, normalize(folders["pooled"].get_token("[CLS]")), atol=1e-6)


async def test_static_model(transport: ConfiguredTransport, static: Model):
    answer = await ask(transport, "static", [TEXT, "w1 nonsense"])
    expected = [static.compute_mean(TEXT, framed=False), static.compute_mean("w1", framed=False)]
    numpy.testing.assert_allclose(answer.vectors, expected, atol=1e-6)
    assert answer.json["usage"]["prompt_tokens"] == 5  # an unknown word is not read


async def test_a_text_is_read_up_to_the_models_limit(transport: ConfiguredTransport, mini: Model):
    long = " ".join(f"w{number % 60}" for number in range(100))
    answer = await ask(transport, "mini", long)
    assert answer.json["usage"]["prompt_tokens"] == MAX_LENGTH
    numpy.testing.assert_allclose(answer.vectors, [mini.compute_mean(long)], atol=1e-6)


async def test_batches_of_texts_of_all_lengths_keep_the_order(transport: ConfiguredTransport, mini: Model):
    texts = [" ".join(f"w{(at * 7 + step) % 60}" for step in range(1 + at % 13)) for at in range(300)]
    answer = await ask(transport, "mini", texts)
    assert [entry["index"] for entry in answer.json["data"]] == list(range(300))
    numpy.testing.assert_allclose(answer.vectors, [mini.compute_mean(text) for text in texts], atol=1e-6)
    assert answer.json["usage"]["prompt_tokens"] == sum(len(text.split()) + 2 for text in texts)


async def test_64_calls_at_once_each_get_their_own(transport: ConfiguredTransport, folders: dict[str, Model]):
    names = ["mini", "static", "mean"]

    async def call(at: int) -> None:
        name, texts = names[at % 3], [f"w{at % 60} w{(at + step) % 60}" for step in range(1 + at % 5)]
        model = folders[name]
        expected = [model.compute_mean(text, framed=name != "static") for text in texts]
        numpy.testing.assert_allclose((await ask(transport, name, texts)).vectors, expected, atol=1e-6)

    await asyncio.gather(*(call(at) for at in range(64)))


async def test_base64_is_the_same_numbers(transport: ConfiguredTransport):
    plain = await ask(transport, "mini", [TEXT, "w1"])
    packed = await ask(transport, "mini", [TEXT, "w1"], encoding_format="base64")
    raw: Any = [base64.b64decode(entry["embedding"]) for entry in packed.json["data"]]
    assert (numpy.array([numpy.frombuffer(each, "<f4") for each in raw]) == plain.vectors.astype("<f4")).all()


@pytest.mark.parametrize(("name", "size"), [("static", 3), ("matryoshka", 2), ("matryoshka", 4), ("mini", SIZE)])
async def test_shorter_vectors_of_a_model_that_has_them(transport: ConfiguredTransport, name: str, size: int):
    whole = (await ask(transport, name, TEXT)).vectors[0]
    (short,) = (await ask(transport, name, TEXT, dimensions=size)).vectors
    numpy.testing.assert_allclose(short, normalize(whole[:size]), atol=1e-6)


@pytest.mark.parametrize(
    ("name", "size", "supported"),
    [("mini", 4, "8 dimensions"), ("matryoshka", 3, "2 or 4 or 8 dimensions"), ("static", 9, "1 to 8 dimensions")],
)
async def test_other_sizes_are_rejected(transport: ConfiguredTransport, name: str, size: int, supported: str):
    answer = await ask(transport, name, TEXT, dimensions=size)
    assert (answer.status, answer.error["param"]) == (400, "dimensions")
    assert f"has vectors of {supported}, not {size}" in answer.error["message"]
