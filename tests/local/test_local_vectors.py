"""Vectors of ONNX and static models are those numpy computes from the same table, whatever the layout and the batch."""

import asyncio
import base64
from typing import Any

import numpy
import pytest

from local.made import LONGEST, SIZE, Configured, Model, ask, unit

pytestmark = pytest.mark.asyncio(loop_scope="module")
TEXT = "w3 w7 w7 w41"


@pytest.mark.parametrize("name", ["mini", "mean"])
async def test_mean_of_the_tokens_normalised(transport: Configured, folders: dict[str, Model], name: str):
    answer = await ask(transport, name, TEXT)
    numpy.testing.assert_allclose(answer.vectors, [folders[name].mean(TEXT)], atol=1e-6)
    assert answer.json["model"] == name
    assert answer.json["usage"] == {"prompt_tokens": 6, "total_tokens": 6}  # with [CLS] and [SEP]


async def test_mean_as_it_is(transport: Configured, folders: dict[str, Model]):
    (vector,) = (await ask(transport, "raw", TEXT)).vectors
    assert abs(numpy.linalg.norm(vector) - 1) > 0.01
    numpy.testing.assert_allclose(unit(vector), folders["raw"].mean(TEXT), atol=1e-6)


@pytest.mark.parametrize("name", ["cls", "newer"])
async def test_first_token(transport: Configured, folders: dict[str, Model], name: str):
    (vector,) = (await ask(transport, name, TEXT)).vectors
    numpy.testing.assert_allclose(vector, unit(folders[name].token("[CLS]")), atol=1e-6)


async def test_file_that_pools_itself(transport: Configured, folders: dict[str, Model]):
    (vector,) = (await ask(transport, "pooled", TEXT)).vectors
    numpy.testing.assert_allclose(vector, unit(folders["pooled"].token("[CLS]")), atol=1e-6)


async def test_static_model(transport: Configured, static: Model):
    answer = await ask(transport, "static", [TEXT, "w1 nonsense"])
    expected = [static.mean(TEXT, framed=False), static.mean("w1", framed=False)]
    numpy.testing.assert_allclose(answer.vectors, expected, atol=1e-6)
    assert answer.json["usage"]["prompt_tokens"] == 5  # a word it does not have is not read


async def test_a_text_is_read_up_to_the_models_limit(transport: Configured, mini: Model):
    long = " ".join(f"w{number % 60}" for number in range(100))
    answer = await ask(transport, "mini", long)
    assert answer.json["usage"]["prompt_tokens"] == LONGEST
    numpy.testing.assert_allclose(answer.vectors, [mini.mean(long)], atol=1e-6)


async def test_order_is_kept_over_batches_of_texts_of_all_lengths(transport: Configured, mini: Model):
    texts = [" ".join(f"w{(at * 7 + step) % 60}" for step in range(1 + at % 13)) for at in range(300)]
    answer = await ask(transport, "mini", texts)
    assert [entry["index"] for entry in answer.json["data"]] == list(range(300))
    numpy.testing.assert_allclose(answer.vectors, [mini.mean(text) for text in texts], atol=1e-6)
    assert answer.json["usage"]["prompt_tokens"] == sum(len(text.split()) + 2 for text in texts)


async def test_64_calls_at_once_each_get_their_own(transport: Configured, folders: dict[str, Model]):
    names = ["mini", "static", "mean"]

    async def one(at: int) -> None:
        name, texts = names[at % 3], [f"w{at % 60} w{(at + step) % 60}" for step in range(1 + at % 5)]
        model = folders[name]
        expected = [model.mean(text, framed=name != "static") for text in texts]
        numpy.testing.assert_allclose((await ask(transport, name, texts)).vectors, expected, atol=1e-6)

    await asyncio.gather(*(one(at) for at in range(64)))


async def test_base64_is_the_same_numbers(transport: Configured):
    plain = await ask(transport, "mini", [TEXT, "w1"])
    packed = await ask(transport, "mini", [TEXT, "w1"], encoding_format="base64")
    raw: Any = [base64.b64decode(entry["embedding"]) for entry in packed.json["data"]]
    assert (numpy.array([numpy.frombuffer(each, "<f4") for each in raw]) == plain.vectors.astype("<f4")).all()


@pytest.mark.parametrize(("name", "size"), [("static", 3), ("dolls", 2), ("dolls", 4), ("mini", SIZE)])
async def test_shorter_vectors_where_the_model_has_them(transport: Configured, name: str, size: int):
    whole = (await ask(transport, name, TEXT)).vectors[0]
    (short,) = (await ask(transport, name, TEXT, dimensions=size)).vectors
    numpy.testing.assert_allclose(short, unit(whole[:size]), atol=1e-6)


@pytest.mark.parametrize(
    ("name", "size", "can"),
    [("mini", 4, "8 dimensions"), ("dolls", 3, "2 or 4 or 8 dimensions"), ("static", 9, "1 to 8 dimensions")],
)
async def test_other_lengths_are_refused(transport: Configured, name: str, size: int, can: str):
    answer = await ask(transport, name, TEXT, dimensions=size)
    assert (answer.status, answer.error["param"]) == (400, "dimensions")
    assert f"has vectors of {can}, not {size}" in answer.error["message"]
