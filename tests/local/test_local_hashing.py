"""The hashing embedder: the same everywhere, of unit length, with similar vectors for similar spelling."""

import base64
import hashlib
import math
import subprocess
import sys
from operator import mul

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.catalog.local import HASH_CONTEXT
from antiphon.local.hashing import HashEmbedder, split_words
from antiphon.local.request import MAX_CHARACTERS
from local.models import ConfiguredTransport, ask

TEXTS = ["The quick brown fox", "naïve café ﬁne", "机器学习很有趣", "x" * 200, " ", "one one one two", "a_b-c (d) 🦊"]
GOLDEN = "f1e6bac4bfb93bdd74499ed8c08096f95d0d189b8700d7c0cea61a01d2748245"
"""The digest of the vectors of ``TEXTS`` in 256 dimensions. It must never change: new vectors are compared with stored
ones."""

DIGEST = (
    "import hashlib, sys; from antiphon.local.hashing import HashEmbedder, split_words; "
    "from antiphon.local.response import to_little_endian; embedder = HashEmbedder(); "
    "vectors = [to_little_endian(embedder.embed(split_words(text), 256)) for text in sys.argv[1:]]; "
    "print(hashlib.sha256(b''.join(vectors)).hexdigest())"
)


def compute_similarity(one: str, other: str, size: int = 256) -> float:
    embedder = HashEmbedder()
    return sum(map(mul, embedder.embed(split_words(one), size), embedder.embed(split_words(other), size)))


@pytest.mark.parametrize("seed", ["0", "1", "random"])
def test_vectors_are_the_same_in_every_process(seed: str):
    done = subprocess.run(
        [sys.executable, "-c", DIGEST, *TEXTS],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path), "PYTHONUTF8": "1"},
    )
    assert done.stdout.strip() == GOLDEN


@pytest.mark.parametrize(
    ("text", "similar", "different"),
    [
        ("How do I reset my password?", "password reset instructions", "the weather in Tokyo is sunny"),
        ("How do I reset my password?", "resetting of passwords", "grilled salmon with lemon"),
        ("the colour of the neighbour's car", "the color of the neighbor's car", "a river in northern Norway"),
        ("机器学习很有趣", "机器学习是有趣的", "今天天气很好"),
        ("def embed(self, texts):", "async def embed(self, text: str):", "SELECT name FROM people WHERE age > 3"),
    ],
)
@pytest.mark.parametrize("size", [256, 1024])
def test_similar_spelling_gives_similar_vectors(text: str, similar: str, different: str, size: int):
    assert compute_similarity(text, similar, size) > compute_similarity(text, different, size) + 0.1
    assert compute_similarity(text, text.upper(), size) == pytest.approx(1)


def test_a_frequent_word_does_not_outweigh_the_rest():
    once, often = "apple banana", "apple " * 50 + "banana"
    assert compute_similarity(once, often) > 0.7


@given(st.text(max_size=200), st.integers(1, 300))
def test_every_text_has_a_unit_vector(text: str, size: int):
    vector = HashEmbedder().embed(split_words(text), size)
    assert len(vector) == size
    assert math.isclose(math.hypot(*vector), 1, abs_tol=1e-5)


async def test_the_answer_has_openais_shape():
    answer = await ask(ConfiguredTransport(), "hash-256", ["One two, three", "four"])
    assert answer.status == 200
    assert answer.json["object"] == "list"
    assert answer.json["model"] == "hash-256"
    assert [(entry["object"], entry["index"]) for entry in answer.json["data"]] == [("embedding", 0), ("embedding", 1)]
    assert answer.json["usage"] == {"prompt_tokens": 5, "total_tokens": 5}  # a comma is a token, too


async def test_any_size_by_name_or_by_dimensions():
    transport = ConfiguredTransport()
    for name, size in (("hash-1", 1), ("hash-300", 300), ("hash-8192", 8192)):
        assert (await ask(transport, name, "hello")).vectors.shape == (1, size)
    by_name = await ask(transport, "hash-64", "hello")
    assert (await ask(transport, "hash-256", "hello", dimensions=64)).json["data"] == by_name.json["data"]
    rejected = await ask(transport, "hash-64", "hello", dimensions=65)
    assert (rejected.status, rejected.error["param"]) == (400, "dimensions")


@pytest.mark.parametrize("name", ["hash-0", "hash-8193", "hash-064", "hash-", "hash-1e3", "hash-99999"])
async def test_other_names_are_unknown(name: str):
    answer = await ask(ConfiguredTransport(), name, "hello")
    assert (answer.status, answer.error["code"]) == (404, "model_not_found")


async def test_a_long_text_in_a_thread_gives_what_a_short_one_gives():
    transport = ConfiguredTransport()
    text = "some words over again " * 5000
    alone = (await ask(transport, "hash-256", "some words over again")).json["data"][0]["embedding"]
    long = await ask(transport, "hash-256", [text, "some words over again"], encoding_format="float")
    assert long.json["data"][1]["embedding"] == alone
    assert long.json["usage"]["prompt_tokens"] == 20_004
    assert len(text) > 4096


async def test_too_long_input_is_rejected():
    answer = await ask(ConfiguredTransport(), "hash-256", ["fine", "a " * (HASH_CONTEXT + 1)])
    assert (answer.status, answer.error["code"]) == (400, "context_length_exceeded")
    assert "input[1]" in answer.error["message"]
    answer = await ask(ConfiguredTransport(), "hash-256", ["x" * (MAX_CHARACTERS // 2 + 1)] * 2)
    assert (answer.status, answer.error["param"]) == (400, "input")


async def test_base64_holds_the_same_numbers():
    packed = await ask(ConfiguredTransport(), "hash-16", "hello", encoding_format="base64")
    raw = base64.b64decode(packed.json["data"][0]["embedding"])
    assert raw == HashEmbedder().embed(split_words("hello"), 16).tobytes()
    assert hashlib.sha256(raw).hexdigest() != hashlib.sha256(bytes(64)).hexdigest()
