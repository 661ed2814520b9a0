"""Local models through the real gateway with the official client, and in process through the SDK."""

import asyncio
import base64
import json
import math
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import numpy
import openai
import pytest
from langchain_openai import OpenAIEmbeddings
from pydantic import SecretStr

from antiphon import Antiphon, AsyncAntiphon, UpstreamStatus
from antiphon.config import load_config
from local.models import SIZE, Model
from processes import Gateway, clean_environ, wait_until

HEAVY = {"numpy", "onnxruntime", "tokenizers", "fastembed", "model2vec", "huggingface_hub", "safetensors"}


def make_config(mini: Model, static: Model) -> dict[str, Any]:
    return {
        "providers": {
            "local": {"models": {"mini": str(mini.folder), "gone": "nobody/nothing"}},
            "other": {"kind": "local", "models": {"static": str(static.folder)}},
        },
        "models": {"vectors": {"targets": ["local/gone"], "fallbacks": ["local/hash-8"]}},
    }


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, mini: Model, static: Model) -> Iterator[Gateway]:
    running = Gateway(
        tmp_path_factory.mktemp("gateway"),
        make_config(mini, static),
        env={"HF_HUB_OFFLINE": "1", "HF_HOME": "/nowhere"},
    )
    try:
        yield running
    finally:
        assert running.stop() == 0, running.output
        assert "Traceback" not in running.output, running.output


@pytest.fixture
async def client(gateway: Gateway) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(
        base_url=f"{gateway.url}/v1", api_key=gateway.key, max_retries=0, timeout=30
    ) as client:
        yield client


async def test_the_hashing_embedder_needs_no_configuration(client: openai.AsyncOpenAI):
    answer = await client.embeddings.create(model="local/hash-256", input=["One text", "Another"])
    assert [len(entry.embedding) for entry in answer.data] == [256, 256]
    assert math.isclose(math.hypot(*answer.data[0].embedding), 1, abs_tol=1e-5)
    assert answer.usage.prompt_tokens == 3
    shorter = await client.embeddings.create(model="local/hash-256", input="One text", dimensions=16)
    assert len(shorter.data[0].embedding) == 16


@pytest.mark.parametrize("encoding", ["float", "base64"])
@pytest.mark.parametrize(("name", "framed"), [("local/mini", True), ("mini", True), ("other/static", False)])
async def test_models_of_folders(
    client: openai.AsyncOpenAI, mini: Model, static: Model, name: str, framed: bool, encoding: Any
):
    answer = await client.embeddings.create(model=name, input=["w1 w2", "w3"], encoding_format=encoding)
    model = mini if framed else static
    vectors: list[Any] = [entry.embedding for entry in answer.data]
    if encoding == "base64":
        vectors = [numpy.frombuffer(base64.b64decode(vector), "<f4") for vector in vectors]
    expected = [model.compute_mean(text, framed=framed) for text in ("w1 w2", "w3")]
    numpy.testing.assert_allclose(vectors, expected, atol=1e-6)


async def test_dimensions_of_a_model_that_has_them(client: openai.AsyncOpenAI):
    answer = await client.embeddings.create(model="static", input="w1 w2", dimensions=3)
    assert len(answer.data[0].embedding) == 3
    with pytest.raises(openai.BadRequestError, match="dimensions"):
        await client.embeddings.create(model="local/mini", input="w1", dimensions=3)


async def test_errors_have_the_codes_of_the_wire(client: openai.AsyncOpenAI):
    with pytest.raises(openai.NotFoundError, match="mini") as missing:
        await client.embeddings.create(model="local/nothing", input="w1")
    assert missing.value.code == "model_not_found"
    with pytest.raises(openai.BadRequestError) as tokens:
        await client.embeddings.create(model="local/hash-256", input=[[1, 2, 3]])
    assert tokens.value.code == "tokens_not_supported"
    with pytest.raises(openai.InternalServerError) as broken:
        await client.embeddings.create(model="gone", input="w1")
    assert broken.value.code == "model_broken"


async def test_a_fallback_takes_over_from_a_model_that_cannot_be_loaded(client: openai.AsyncOpenAI):
    raw = await client.embeddings.with_raw_response.create(model="vectors", input="w1")
    assert raw.headers["x-antiphon-target"] == "local/hash-8"
    assert raw.headers["x-antiphon-attempts"] == "2"


async def test_the_price_is_zero_and_known(client: openai.AsyncOpenAI, gateway: Gateway):
    raw = await client.embeddings.with_raw_response.create(model="local/mini", input="w1 w2")
    assert float(raw.headers["x-antiphon-cost"]) == 0
    call = raw.headers["x-antiphon-call-id"]
    await wait_until(lambda: [row for row in gateway.list_records() if row["id"] == call], 30)
    (row,) = [row for row in gateway.list_records() if row["id"] == call]
    assert (row["cost"], row["outcome"]) == (0, "success")


async def test_langchain_as_documented(gateway: Gateway, mini: Model):
    embeddings = OpenAIEmbeddings(
        model="mini", base_url=f"{gateway.url}/v1", api_key=SecretStr(gateway.key), check_embedding_ctx_length=False
    )
    vectors = await asyncio.to_thread(embeddings.embed_documents, ["w1 w2", "w3"])
    numpy.testing.assert_allclose(vectors, [mini.compute_mean("w1 w2"), mini.compute_mean("w3")], atol=1e-6)


async def test_64_callers_at_once(client: openai.AsyncOpenAI, mini: Model):
    async def call(at: int) -> None:
        text = f"w{at % 60} w{(at * 7) % 60}"
        answer = await client.embeddings.create(model="mini", input=text)
        numpy.testing.assert_allclose([answer.data[0].embedding], [mini.compute_mean(text)], atol=1e-6)

    await asyncio.gather(*(call(at) for at in range(64)))


async def test_models_are_listed_without_their_folders(client: openai.AsyncOpenAI, mini: Model):
    listed = await client.models.list()
    entries = {entry.id: entry.to_dict() for entry in listed.data}
    assert {"local/mini", "other/static", "local/hash-256"} <= entries.keys()
    assert entries["local/hash-256"]["operation"] == "embeddings"
    assert entries["local/hash-256"]["dimensions"] == 256
    assert str(mini.folder) not in json.dumps(list(entries.values()))


async def test_workers_end_with_a_gateway_that_is_killed(tmp_path: Path, mini: Model, static: Model):
    running = Gateway(tmp_path, make_config(mini, static))
    async with openai.AsyncOpenAI(base_url=f"{running.url}/v1", api_key=running.key, max_retries=0) as client:
        await client.embeddings.create(model="mini", input="w1")
        await client.embeddings.create(model="static", input="w1")
    workers = running.list_workers()
    assert len(workers) == 2
    running.kill()
    await wait_until(lambda: not any(worker.is_running() for worker in workers), 30)


def write_config(folder: Path, mini: Model, static: Model) -> str:
    path = folder / "antiphon.yaml"
    path.write_text(json.dumps({"version": 1, **make_config(mini, static)}))
    return str(path)


def test_in_process(tmp_path: Path, mini: Model, static: Model):
    with Antiphon(config=write_config(tmp_path, mini, static)) as ap:
        assert len(ap.embed("local/hash-32", ["a", "b"]).vectors[1]) == 32
        answer = ap.embed("mini", ["w1 w2", "w5"])
        numpy.testing.assert_allclose(answer.vectors, [mini.compute_mean("w1 w2"), mini.compute_mean("w5")], atol=1e-6)
        assert answer.cost == 0
        with pytest.raises(UpstreamStatus, match="token ids"):
            ap.embed("mini", [[1, 2]])


async def test_in_process_from_a_loop(tmp_path: Path, mini: Model, static: Model):
    async with AsyncAntiphon(config=write_config(tmp_path, mini, static)) as ap:
        answers = await asyncio.gather(*(ap.embed("static", f"w{at}") for at in range(20)))
    for at, answer in enumerate(answers):
        numpy.testing.assert_allclose(answer.vectors, [static.compute_mean(f"w{at}", framed=False)], atol=1e-6)


def test_the_gateways_process_never_imports_a_model_library(tmp_path: Path, mini: Model, static: Model):
    program = (
        "import sys; from antiphon import Antiphon\n"
        "with Antiphon(config=sys.argv[1]) as ap:\n"
        "    sizes = [len(ap.embed(name, 'w1').vectors[0]) for name in ('mini', 'static', 'local/hash-8')]\n"
        f"print(sizes, sorted({HEAVY!r} & {{name.partition('.')[0] for name in sys.modules}}))"
    )
    command = [sys.executable, "-W", "error", "-c", program, write_config(tmp_path, mini, static)]
    done = subprocess.run(command, capture_output=True, text=True, env=clean_environ(), check=False)
    assert (done.stdout.strip(), done.stderr) == (f"{[SIZE, SIZE, 8]} []", "")


def test_nothing_in_the_package_imports_the_worker_or_its_libraries():
    program = (
        "import pkgutil, importlib, sys, antiphon\n"
        "names = ('worker', 'model_loader', 'onnx_embedder', 'static_embedder')\n"
        "own = {f'antiphon.local.{name}' for name in names} | {'antiphon.__main__'}\n"
        "for found in pkgutil.walk_packages(antiphon.__path__, 'antiphon.'):\n"
        "    if found.name not in own and '.migrations' not in found.name and '.longtail.worker' not in found.name:\n"
        "        importlib.import_module(found.name)\n"
        f"print(sorted(({HEAVY!r} | own) & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=clean_environ()
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("provider", "path", "problem"),
    [
        ("{models: {mini: /no/such/folder}}", "providers.local.models.mini", "there is no folder /no/such/folder"),
        ("{models: {mini: bge-small}}", "providers.local.models.mini", "a name at the hub has the form org/name"),
        ("{models: {hash-9: org/name}}", "providers.local.models.hash-9", "hashing embedder"),
        ("{models: [mini]}", "providers.local.models", "a mapping of names to folders"),
        ("{models: {mini: 3}}", "providers.local.models.mini", "expected text"),
        ("{base_url: http://127.0.0.1:9}", "providers.local.base_url", "has no address"),
        ("{api_key: x}", "providers.local.api_key", "takes no key"),
    ],
)
def test_faults_of_a_configuration_are_reported(tmp_path: Path, provider: str, path: str, problem: str):
    from antiphon import ConfigError

    file = tmp_path / "antiphon.yaml"
    file.write_text(f"version: 1\nproviders:\n  local: {provider}\n")
    with pytest.raises(ConfigError) as raised:
        load_config(str(file), {})
    (fault,) = raised.value.faults
    assert (fault.line, fault.field) == (3, path)
    assert problem in fault.problem


def test_a_mapping_of_models_is_only_for_local_providers(tmp_path: Path):
    from antiphon import ConfigError

    file = tmp_path / "antiphon.yaml"
    file.write_text("version: 1\nproviders:\n  ollama: {models: {llama: /models/llama}}\n")
    with pytest.raises(ConfigError, match="takes a list of names here"):
        load_config(str(file), {})


def test_a_folder_is_found_from_any_working_directory(tmp_path: Path, mini: Model, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "small").symlink_to(mini.folder)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "antiphon.yaml").write_text("version: 1\nproviders: {local: {models: {small: models/small}}}\n")
    with Antiphon() as ap:
        monkeypatch.chdir("/")
        assert len(ap.embed("small", "w1").vectors[0]) == SIZE
