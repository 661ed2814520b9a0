"""The worker process: it starts when needed, dies without harm, starts again, and never outlives the gateway."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import numpy
import psutil
import pytest

from antiphon.local.batcher import BatchLimits, EmbeddingBatcher
from antiphon.local.request import RequestError
from local.models import (
    ConfiguredTransport,
    Model,
    ask,
    make_failing_folder,
    make_heavy_folder,
    make_onnx_folder,
    write_json,
)
from processes import wait_until


@pytest.fixture
async def transport(mini: Model, static: Model) -> AsyncIterator[ConfiguredTransport]:
    transport = ConfiguredTransport({"local": {"mini": str(mini.folder), "static": str(static.folder)}})
    yield transport
    await transport.close()


@pytest.fixture
async def batcher() -> AsyncIterator[EmbeddingBatcher]:
    batcher = EmbeddingBatcher(BatchLimits(waiting_calls=2, idle=0.3))
    yield batcher
    await batcher.close()


def get_pid(batcher: EmbeddingBatcher) -> int:
    assert batcher.worker_pid is not None
    return batcher.worker_pid


async def test_a_worker_exists_only_from_the_first_call_to_the_close(transport: ConfiguredTransport):
    await ask(transport, "hash-256", "hello")
    assert transport.get_batcher("local").worker_pid is None
    await ask(transport, "mini", "w1")
    process = psutil.Process(get_pid(transport.get_batcher("local")))
    assert process.is_running()
    await transport.close()
    assert not process.is_running()


async def test_an_idle_worker_ends_and_the_next_call_starts_another(batcher: EmbeddingBatcher, mini: Model):
    await batcher.embed(str(mini.folder), ["w1"])
    process = psutil.Process(get_pid(batcher))
    await wait_until(lambda: not process.is_running(), 30)
    assert batcher.worker_pid is None
    assert (await batcher.embed(str(mini.folder), ["w1"])).tokens == 3


async def test_a_worker_killed_between_calls_harms_no_call(transport: ConfiguredTransport, mini: Model):
    await ask(transport, "mini", "w1")
    first = get_pid(transport.get_batcher("local"))
    os.kill(first, signal.SIGKILL)
    answer = await ask(transport, "mini", "w1 w2")
    numpy.testing.assert_allclose(answer.vectors, [mini.compute_mean("w1 w2")], atol=1e-6)
    assert get_pid(transport.get_batcher("local")) != first


async def test_a_call_that_keeps_killing_the_worker_fails_and_the_next_succeeds(transport: ConfiguredTransport):
    batcher = transport.get_batcher("local")

    async def kill() -> None:
        for _ in range(2):
            await wait_until(lambda: batcher.worker_pid is not None, 30)
            dead = get_pid(batcher)
            os.kill(dead, signal.SIGKILL)
            await wait_until(lambda dead=dead: batcher.worker_pid != dead, 30)

    killer = asyncio.create_task(kill())
    answer = await ask(transport, "mini", ["w1 w2"] * 1000)
    await killer
    assert (answer.status, answer.error["code"]) == (500, "local_worker_died")
    assert "signal 9" in answer.error["message"]
    assert (await ask(transport, "mini", "w1")).status == 200


async def test_a_text_on_which_the_model_fails_harms_only_its_own_call(tmp_path: Path):
    transport = ConfiguredTransport({"local": {"failing": str(make_failing_folder(tmp_path).folder)}})
    texts = ["w1", "w2 w3", "w1 boom", "w4", "w5 w6"] * 4
    answers = await asyncio.gather(*(ask(transport, "failing", text) for text in texts))
    await transport.close()
    for text, answer in zip(texts, answers, strict=True):
        if "boom" in text:
            assert (answer.status, answer.error["code"]) == (500, "model_failed")
        else:
            assert answer.status == 200


async def test_the_queue_is_bounded_and_a_leaving_caller_makes_room(batcher: EmbeddingBatcher, mini: Model):
    source = str(mini.folder)
    await batcher.embed(source, ["w1"])
    pid = get_pid(batcher)
    os.kill(pid, signal.SIGSTOP)
    try:
        running = asyncio.create_task(batcher.embed(source, ["w1"]))
        await asyncio.sleep(0)
        await wait_until(lambda: batcher.describe()["waiting"] == 0, 30)
        first, second = (asyncio.create_task(batcher.embed(source, [text])) for text in ("w2", "w3 w4"))
        await wait_until(lambda: batcher.describe()["waiting"] == 2, 30)
        with pytest.raises(RequestError) as rejected:
            await batcher.embed(source, ["w5"])
        assert (rejected.value.status, rejected.value.retry_after) == (503, 1)
        first.cancel()
        await asyncio.wait([first])
        third = asyncio.create_task(batcher.embed(source, ["w5"]))
        await wait_until(lambda: batcher.describe()["waiting"] == 2, 30)
    finally:
        os.kill(pid, signal.SIGCONT)
    assert [(await task).tokens for task in (running, second, third)] == [3, 4, 3]
    assert first.cancelled()
    assert batcher.worker_pid == pid


async def test_closing_rejects_waiting_calls(mini: Model):
    batcher = EmbeddingBatcher()
    await batcher.embed(str(mini.folder), ["w1"])
    os.kill(get_pid(batcher), signal.SIGSTOP)
    waiting = [asyncio.create_task(batcher.embed(str(mini.folder), ["w1"])) for _ in range(3)]
    await asyncio.sleep(0.05)
    await batcher.close()
    for task in waiting:
        with pytest.raises(RequestError) as rejected:
            await task
        assert rejected.value.status == 503
    with pytest.raises(RequestError):
        await batcher.embed(str(mini.folder), ["w1"])
    assert batcher.worker_pid is None


async def test_the_event_loop_runs_while_a_model_works(tmp_path: Path):
    transport = ConfiguredTransport({"local": {"heavy": str(make_heavy_folder(tmp_path).folder)}})
    await ask(transport, "heavy", "w1")
    gaps = []

    async def measure_gaps() -> None:
        last = time.monotonic()
        while True:
            await asyncio.sleep(0.005)
            now = time.monotonic()
            gaps.append(now - last)
            last = now

    beating = asyncio.create_task(measure_gaps())
    started = time.monotonic()
    answer = await ask(transport, "heavy", [" ".join(["w1"] * 14)] * 64)
    took = time.monotonic() - started
    beating.cancel()
    await transport.close()
    assert answer.status == 200
    assert took > 0.3
    assert max(gaps) < took / 3


async def test_hashing_a_long_text_does_not_block_the_event_loop():
    transport = ConfiguredTransport()
    texts = [" ".join(f"word{at * 7919 % 10007}of{at}" for at in range(start, start + 20_000)) for start in (0, 20_000)]
    turns = 0

    async def turn() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0.001)
            turns += 1

    turning = asyncio.create_task(turn())
    answer = await ask(transport, "hash-256", texts)
    turning.cancel()
    assert answer.status == 200
    assert turns > 10


async def test_without_the_extra_the_error_names_the_package(
    tmp_path: Path, transport: ConfiguredTransport, monkeypatch: pytest.MonkeyPatch
):
    for name in ("fastembed", "model2vec"):
        (tmp_path / f"{name}.py").write_text(f"raise ModuleNotFoundError('there is no {name}')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    for model in ("mini", "static"):
        answer = await ask(transport, model, "w1")
        assert (answer.status, answer.error["code"]) == (501, "missing_extra"), answer.json
        assert "pip install 'antiphon[local]'" in answer.error["message"]
    assert (await ask(transport, "hash-256", "hello")).status == 200


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda folder: (folder / "model.onnx").write_bytes(b"not a model"), "cannot be loaded"),
        (lambda folder: (folder / "tokenizer.json").write_text("{"), "cannot be loaded"),
        (lambda folder: (folder / "tokenizer.json").unlink(), "tokenizer.json"),
        (lambda folder: (folder / "model.onnx").unlink(), "holds no model"),
        (lambda folder: write_json(folder / "modules.json", [{"type": "x.Transformer"}, {"type": "x.Dense"}]), "Dense"),
        (
            lambda folder: write_json(folder / "1_Pooling" / "config.json", {"pooling_mode_max_tokens": True}),
            "max_tokens",
        ),
        (lambda folder: (folder / "config.json").write_text("[1]"), "config.json"),
    ],
)
async def test_the_error_of_a_broken_model_has_the_reason_but_not_the_folder(tmp_path: Path, damage, reason: str):
    folder = make_onnx_folder(tmp_path / "model").folder
    damage(folder)
    transport = ConfiguredTransport({"local": {"broken": str(folder)}})
    answer = await ask(transport, "broken", "w1")
    await transport.close()
    assert (answer.status, answer.error["code"]) == (500, "model_broken")
    assert reason in answer.error["message"]
    assert str(tmp_path) not in answer.error["message"]


async def test_a_name_of_the_hub_is_loaded_from_its_cache(
    tmp_path: Path, mini: Model, static: Model, monkeypatch: pytest.MonkeyPatch
):
    for name, model in (("mini", mini), ("static", static)):
        repository = tmp_path / "hub" / f"models--somebody--{name}"
        (repository / "snapshots").mkdir(parents=True)
        (repository / "snapshots" / "0123").symlink_to(model.folder)
        (repository / "refs").mkdir()
        (repository / "refs" / "main").write_text("0123")
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    names = {name: f"somebody/{name}" for name in ("mini", "static", "absent")}
    transport = ConfiguredTransport({"local": names})
    answers = {name: await ask(transport, name, "w1 w2") for name in names}
    await transport.close()
    numpy.testing.assert_allclose(answers["mini"].vectors, [mini.compute_mean("w1 w2")], atol=1e-6)
    numpy.testing.assert_allclose(answers["static"].vectors, [static.compute_mean("w1 w2", framed=False)], atol=1e-6)
    assert (answers["absent"].status, answers["absent"].error["code"]) == (500, "model_broken")


PARENT = """
import asyncio, sys
from local.models import ConfiguredTransport, ask

async def main():
    transport = ConfiguredTransport({"local": {"mini": sys.argv[1]}})
    assert (await ask(transport, "mini", "w1")).status == 200
    print(transport.get_batcher("local").worker_pid, flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


async def test_the_worker_ends_with_the_gateway_even_if_that_is_killed(mini: Model):
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(mini.folder)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
    )
    assert parent.stdout is not None
    worker = psutil.Process(int(parent.stdout.readline()))
    parent.kill()
    parent.wait(10)
    parent.stdout.close()
    await wait_until(lambda: not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE, 30)


async def test_a_worker_sees_no_credentials_and_nothing_of_the_working_directory(
    tmp_path: Path, transport: ConfiguredTransport, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    (tmp_path / "numpy.py").write_text("raise SystemExit('imported by accident')")
    monkeypatch.chdir(tmp_path)
    assert (await ask(transport, "mini", "w1")).status == 200
    seen = psutil.Process(get_pid(transport.get_batcher("local"))).environ()
    assert "OPENAI_API_KEY" not in seen
    assert seen["HTTPS_PROXY"] == "http://127.0.0.1:9"
