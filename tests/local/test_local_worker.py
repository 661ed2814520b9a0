"""The worker process: it starts late, dies alone, comes back, and never outlives the gateway."""

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

from antiphon.local.batcher import Bounds, Group
from antiphon.local.request import Refused
from living import eventually
from local.made import Configured, Model, ask, heavy_folder, holed_folder, write


@pytest.fixture
async def transport(mini: Model, static: Model) -> AsyncIterator[Configured]:
    made = Configured({"local": {"mini": str(mini.folder), "static": str(static.folder)}})
    yield made
    await made.close()


@pytest.fixture
async def group() -> AsyncIterator[Group]:
    made = Group(Bounds(waiting_calls=2, idle=0.3))
    yield made
    await made.close()


def pid_of(group: Group) -> int:
    assert group.worker_pid is not None
    return group.worker_pid


async def test_there_is_no_worker_before_it_is_needed_and_none_after(transport: Configured):
    await ask(transport, "hash-256", "hello")
    assert transport.group("local").worker_pid is None
    await ask(transport, "mini", "w1")
    process = psutil.Process(pid_of(transport.group("local")))
    assert process.is_running()
    await transport.close()
    assert not process.is_running()


async def test_an_idle_worker_ends_and_the_next_call_starts_another(group: Group, mini: Model):
    await group.embed(str(mini.folder), ["w1"])
    process = psutil.Process(pid_of(group))
    await eventually(lambda: not process.is_running(), 5)
    assert group.worker_pid is None
    assert (await group.embed(str(mini.folder), ["w1"])).tokens == 3


async def test_a_worker_killed_between_calls_costs_no_call(transport: Configured, mini: Model):
    await ask(transport, "mini", "w1")
    first = pid_of(transport.group("local"))
    os.kill(first, signal.SIGKILL)
    answer = await ask(transport, "mini", "w1 w2")
    numpy.testing.assert_allclose(answer.vectors, [mini.mean("w1 w2")], atol=1e-6)
    assert pid_of(transport.group("local")) != first


async def test_a_call_that_keeps_killing_the_worker_is_told_and_the_next_is_served(transport: Configured):
    group = transport.group("local")

    async def kill() -> None:
        for _ in range(2):
            await eventually(lambda: group.worker_pid is not None, 10)
            dead = pid_of(group)
            os.kill(dead, signal.SIGKILL)
            await eventually(lambda dead=dead: group.worker_pid != dead, 10)

    killer = asyncio.create_task(kill())
    answer = await ask(transport, "mini", ["w1 w2"] * 1000)
    await killer
    assert (answer.status, answer.error["code"]) == (500, "local_worker_died")
    assert "signal 9" in answer.error["message"]
    assert (await ask(transport, "mini", "w1")).status == 200


async def test_a_text_the_model_fails_on_harms_its_own_call_only(tmp_path: Path):
    transport = Configured({"local": {"holed": str(holed_folder(tmp_path).folder)}})
    texts = ["w1", "w2 w3", "w1 boom", "w4", "w5 w6"] * 4
    answers = await asyncio.gather(*(ask(transport, "holed", text) for text in texts))
    await transport.close()
    for text, answer in zip(texts, answers, strict=True):
        if "boom" in text:
            assert (answer.status, answer.error["code"]) == (500, "model_failed")
        else:
            assert answer.status == 200


async def test_the_queue_is_bounded_and_a_caller_who_leaves_makes_room(group: Group, mini: Model):
    source = str(mini.folder)
    await group.embed(source, ["w1"])
    pid = pid_of(group)
    os.kill(pid, signal.SIGSTOP)
    try:
        running = asyncio.create_task(group.embed(source, ["w1"]))
        await asyncio.sleep(0.05)
        first, second = (asyncio.create_task(group.embed(source, [text])) for text in ("w2", "w3 w4"))
        await asyncio.sleep(0.05)
        with pytest.raises(Refused) as refused:
            await group.embed(source, ["w5"])
        assert (refused.value.status, refused.value.retry_after) == (503, 1)
        first.cancel()
        await asyncio.wait([first])
        third = asyncio.create_task(group.embed(source, ["w5"]))
        await asyncio.sleep(0.05)
    finally:
        os.kill(pid, signal.SIGCONT)
    assert [(await task).tokens for task in (running, second, third)] == [3, 4, 3]
    assert first.cancelled()
    assert group.worker_pid == pid


async def test_closing_refuses_those_who_wait(mini: Model):
    group = Group()
    await group.embed(str(mini.folder), ["w1"])
    os.kill(pid_of(group), signal.SIGSTOP)
    waiting = [asyncio.create_task(group.embed(str(mini.folder), ["w1"])) for _ in range(3)]
    await asyncio.sleep(0.05)
    await group.close()
    for task in waiting:
        with pytest.raises(Refused) as refused:
            await task
        assert refused.value.status == 503
    with pytest.raises(Refused):
        await group.embed(str(mini.folder), ["w1"])
    assert group.worker_pid is None


async def test_the_loop_goes_on_while_a_model_works(tmp_path: Path):
    transport = Configured({"local": {"heavy": str(heavy_folder(tmp_path).folder)}})
    await ask(transport, "heavy", "w1")
    gaps = []

    async def beat() -> None:
        last = time.monotonic()
        while True:
            await asyncio.sleep(0.005)
            now = time.monotonic()
            gaps.append(now - last)
            last = now

    beating = asyncio.create_task(beat())
    started = time.monotonic()
    answer = await ask(transport, "heavy", [" ".join(["w1"] * 14)] * 64)
    took = time.monotonic() - started
    beating.cancel()
    await transport.close()
    assert answer.status == 200
    assert took > 0.3
    assert max(gaps) < took / 3


async def test_a_long_text_does_not_hold_up_the_loop_either():
    transport = Configured()
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


async def test_without_the_extra_the_answer_says_what_to_install(
    tmp_path: Path, transport: Configured, monkeypatch: pytest.MonkeyPatch
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
    ("break_it", "reason"),
    [
        (lambda folder: (folder / "model.onnx").write_bytes(b"not a model"), "cannot be loaded"),
        (lambda folder: (folder / "tokenizer.json").write_text("{"), "cannot be loaded"),
        (lambda folder: (folder / "tokenizer.json").unlink(), "tokenizer.json"),
        (lambda folder: (folder / "model.onnx").unlink(), "holds no model"),
        (lambda folder: write(folder / "modules.json", [{"type": "x.Transformer"}, {"type": "x.Dense"}]), "Dense"),
        (lambda folder: write(folder / "1_Pooling" / "config.json", {"pooling_mode_max_tokens": True}), "max_tokens"),
        (lambda folder: (folder / "config.json").write_text("[1]"), "config.json"),
    ],
)
async def test_a_broken_model_is_told_with_its_reason_but_not_its_place(tmp_path: Path, break_it, reason: str):
    from local.made import onnx_folder

    folder = onnx_folder(tmp_path / "model").folder
    break_it(folder)
    transport = Configured({"local": {"broken": str(folder)}})
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
    transport = Configured({"local": names})
    answers = {name: await ask(transport, name, "w1 w2") for name in names}
    await transport.close()
    numpy.testing.assert_allclose(answers["mini"].vectors, [mini.mean("w1 w2")], atol=1e-6)
    numpy.testing.assert_allclose(answers["static"].vectors, [static.mean("w1 w2", framed=False)], atol=1e-6)
    assert (answers["absent"].status, answers["absent"].error["code"]) == (500, "model_broken")


PARENT = """
import asyncio, sys
from local.made import Configured, ask

async def main():
    transport = Configured({"local": {"mini": sys.argv[1]}})
    assert (await ask(transport, "mini", "w1")).status == 200
    print(transport.group("local").worker_pid, flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


async def test_the_worker_ends_with_the_gateway_however_that_ends(mini: Model):
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
    await eventually(lambda: not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE, 5)


async def test_a_worker_sees_no_credentials_and_nothing_of_the_working_directory(
    tmp_path: Path, transport: Configured, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    (tmp_path / "numpy.py").write_text("raise SystemExit('imported by accident')")
    monkeypatch.chdir(tmp_path)
    assert (await ask(transport, "mini", "w1")).status == 200
    seen = psutil.Process(pid_of(transport.group("local"))).environ()
    assert "OPENAI_API_KEY" not in seen
    assert seen["HTTPS_PROXY"] == "http://127.0.0.1:9"
