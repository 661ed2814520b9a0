"""The shipper process killed, stopped, or kept from its database: calls go on, and every record is filed once."""

import asyncio
import random
import signal
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
import pytest

from processes import Gateway, Sim, allow, chat, run_cli, wait_until

KILLS = 4


def make_config(sim: Sim, **more: Any) -> dict[str, Any]:
    return {"providers": {"up": {"kind": "openai-compatible", "base_url": f"{sim.url}/v1", "api_key": "x"}}, **more}


async def wait_for_shipper(gateway: Gateway) -> psutil.Process:
    """Return the gateway's shipper process; end the gateway if there is none in time."""
    try:
        await wait_until(lambda: gateway.find_shipper(), allow(5))  # after the last of four kills it rests for 4 s
    except AssertionError:
        gateway.kill()
        raise
    shipper = gateway.find_shipper()
    assert shipper is not None
    return shipper


def has_ended(process: psutil.Process) -> bool:
    """Return whether a process is gone, or only waits for its new parent to notice."""
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


async def call_until(gateway: Gateway, model: str, stop: asyncio.Event, answered: set[str], refused: list[str]) -> None:
    while not stop.is_set():
        answer = await chat(gateway, model)
        if answer.status == 200:
            answered.add(answer.headers["x-antiphon-call-id"])
        else:
            refused.append(answer.json["error"]["code"])


class Load:
    """Eight callers that call in a loop."""

    def __init__(self, gateway: Gateway, model: str = "up/echo") -> None:
        self.answered: set[str] = set()
        self.refused: list[str] = []
        self._stop = asyncio.Event()
        callers = (call_until(gateway, model, self._stop, self.answered, self.refused) for _ in range(8))
        self._tasks = [asyncio.create_task(caller) for caller in callers]

    async def stop(self) -> None:
        self._stop.set()
        await asyncio.gather(*self._tasks)


def count_records(gateway: Gateway) -> Counter[str]:
    return Counter(row["id"] for row in gateway.list_records())


async def test_a_killed_shipper_loses_and_doubles_nothing_and_is_replaced(sim: Sim, tmp_path: Path) -> None:
    gateway = Gateway(tmp_path, make_config(sim))
    load = Load(gateway)
    pids = set()
    try:
        for _ in range(KILLS):
            shipper = await wait_for_shipper(gateway)
            pids.add(shipper.pid)
            await asyncio.sleep(random.uniform(0, 0.8))
            shipper.kill()
            shipper.wait(5)
        pids.add((await wait_for_shipper(gateway)).pid)
        await load.stop()
        await wait_until(lambda: load.answered <= count_records(gateway).keys(), allow(5))
    finally:
        assert gateway.stop() == 0
    assert load.refused == []
    assert len(pids) == KILLS + 1
    rows = count_records(gateway)
    assert set(rows) == load.answered
    assert max(rows.values()) == 1
    assert gateway.output.count("the shipper process ended") == KILLS
    assert "Traceback" not in gateway.output
    assert run_cli("usage", "verify", "--data", str(gateway.data)).returncode == 0


async def test_the_shipper_ends_with_a_killed_gateway_and_the_next_one_adopts(sim: Sim, tmp_path: Path) -> None:
    gateway = Gateway(tmp_path, make_config(sim))
    shipper = await wait_for_shipper(gateway)
    load = Load(gateway)
    await asyncio.sleep(1)
    await load.stop()
    (writer,) = (gateway.data / "journal").iterdir()
    await asyncio.to_thread(gateway.kill)
    await wait_until(lambda: has_ended(shipper), allow(1))
    again = Gateway(tmp_path)
    try:
        await wait_until(lambda: load.answered <= count_records(again).keys(), allow(5))
        await wait_until(lambda: not writer.exists(), allow(5))
    finally:
        assert again.stop() == 0
    assert max(count_records(again).values()) == 1


async def test_calls_continue_while_the_database_is_locked(sim: Sim, tmp_path: Path) -> None:
    gateway = Gateway(tmp_path, make_config(sim))
    try:
        await wait_for_shipper(gateway)
        with closing(sqlite3.connect(gateway.data / "antiphon.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            load = Load(gateway)
            await asyncio.sleep(5)  # the shipper fails at once, and again after 0.8, 1.6 and 3.2 s
            await load.stop()
            assert not load.answered & count_records(gateway).keys()
            other.execute("COMMIT")
        await wait_until(lambda: load.answered <= count_records(gateway).keys(), allow(10))
    finally:
        assert gateway.stop() == 0
    assert load.refused == []
    assert set(count_records(gateway)) == load.answered
    for state in ("fails", "works again"):
        assert gateway.output.count(f"moving records from the journal to the database {state}") == 1


def fill_journal(data: Path, size: int) -> None:
    """Leave ``size`` bytes of a dead writer that only a newer release can file."""
    writer = data / "journal" / "writer_0"
    writer.mkdir(parents=True)
    (writer / "lock").touch()
    (writer / "00000001.segment").write_bytes(b"antiphon journal 9\n".ljust(size, b"?"))


@pytest.mark.parametrize("policy", ["serve", "refuse"])
async def test_a_stopped_shipper_leads_to_the_declared_policy_at_the_cap(sim: Sim, tmp_path: Path, policy: str) -> None:
    fill_journal(tmp_path / "data", 960_000)  # of 1,048,576, the smallest cap; calls are refused from 983,040 on
    gateway = Gateway(tmp_path, make_config(sim, journal_cap="1 MiB", on_journal_full=policy))
    shipper = await wait_for_shipper(gateway)
    try:
        await gateway.wait_for_record(await chat(gateway, "up/echo"))
        await asyncio.sleep(0.5)
        earlier = count_records(gateway)
        shipper.send_signal(signal.SIGSTOP)
        load = Load(gateway)
        if policy == "refuse":
            await wait_until(lambda: load.refused)
        else:
            await wait_until(lambda: len(load.answered) > 400)
        await load.stop()
        assert count_records(gateway) == earlier
        shipper.send_signal(signal.SIGCONT)
        await wait_until(lambda: count_records(gateway) != earlier, allow(5))
        await asyncio.sleep(0.5)
        answer = await chat(gateway, "up/echo")
        assert answer.status == 200
        await gateway.wait_for_record(answer)
    finally:
        shipper.send_signal(signal.SIGCONT)
        assert gateway.stop() == 0
    rows = count_records(gateway) - earlier
    answered = load.answered | {answer.headers["x-antiphon-call-id"]}
    assert max(rows.values()) == 1
    if policy == "refuse":
        assert set(rows) == answered
        assert set(load.refused) == {"unavailable"}
    else:
        assert load.refused == []
        assert len(rows) < len(answered), "a call beyond the cap is served, but not recorded"
        assert gateway.output.count("its cap is") == 1
        assert gateway.output.count("has room again") == 1
