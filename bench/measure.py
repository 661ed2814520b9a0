"""The rows of the bench: each puts one kind of load on every subject in turn and reads the system's counters."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

from bench.machine import cpu_seconds, memory
from bench.process import ROOT, Process, python
from bench.subjects import CONFIG, ON, PATH, STARTERS, SWITCHES, Stage, Subject, direct, start_antiphon

Figures = dict[str, dict[str, float]]
"""Subject to figure to value, in seconds, bytes and counts."""


@dataclass(frozen=True)
class Effort:
    """How long and how often: the full form decides, the smoke form only shows that everything runs."""

    seconds: float
    warm: float
    rounds: int
    connections: int
    held: int
    starts: int
    imports: int
    sdk_calls: int
    walks: int
    quiet: float
    """Seconds without work after which a program has nothing left to do; longer than any interval it works at."""
    rest: float
    """Seconds after which a program is at rest and its memory is read."""


FULL = Effort(
    seconds=6,
    warm=2,
    rounds=3,
    connections=64,
    held=2000,
    starts=5,
    imports=10,
    sdk_calls=500,
    walks=15,
    quiet=1.5,
    rest=1.0,
)
SMOKE = Effort(
    seconds=1,
    warm=0,
    rounds=1,
    connections=16,
    held=20,
    starts=1,
    imports=1,
    sdk_calls=20,
    walks=1,
    quiet=0.1,
    rest=0.1,
)


@dataclass(frozen=True)
class Bench:
    """One run: the stage, the effort, the names of the subjects, and those under load now."""

    stage: Stage
    effort: Effort
    names: tuple[str, ...]
    mock: Process

    def turns(self, subjects: Iterable[Subject]) -> Iterable[Subject]:
        """Yield the subjects in alternating rounds, so that a change of the machine's mood hits all of them."""
        listed = list(subjects)
        for _ in range(self.effort.rounds):
            yield from listed


def requests(bench: Bench, subjects: list[Subject]) -> Figures:
    """CPU time per whole answer and its latency at the run's number of connections.

    The work that a program does after the load is waited for and counted.
    """
    samples: dict[str, list[dict[str, float]]] = {}
    for subject in subjects if bench.effort.warm else ():
        _wrk(bench, subject, bench.effort.connections, bench.effort.warm)
        settle(bench, subject.process.pid)
    for subject in bench.turns(subjects):
        before = cpu_seconds(subject.process.pid)
        seen = _wrk(bench, subject, bench.effort.connections, bench.effort.seconds)
        settle(bench, subject.process.pid)
        spent = cpu_seconds(subject.process.pid) - before
        figures = {
            "cpu": spent / seen["requests"],
            "rate": seen["requests"] / seen["seconds"],
            "p99": seen["p99"] / 1e6,
        }
        samples.setdefault(subject.name, []).append(figures)
    return take_medians(samples)


def streams(bench: Bench, subjects: list[Subject]) -> Figures:
    """CPU time per stream chunk, 10 ms apart on every connection."""
    samples: dict[str, list[dict[str, float]]] = {}
    for subject in bench.turns(subjects):
        seen = _streams(bench, subject)
        figures = {"cpu": seen["cpu"] / seen["chunks"], "rate": seen["chunks"] / seen["seconds"]}
        samples.setdefault(subject.name, []).append(figures)
    return take_medians(samples)


def take_medians(samples: dict[str, list[dict[str, float]]]) -> Figures:
    return {
        name: {figure: median(sample[figure] for sample in taken) for figure in taken[0]}
        for name, taken in samples.items()
    }


def translation(bench: Bench, subjects: list[Subject]) -> Figures:
    """CPU time of calls that come as chat completions and go to a provider of Anthropic's wire, everything on."""
    figures: Figures = {}
    for subject in (subject for subject in subjects if subject.name == ON):
        over = replace(subject, whole_model="bench-messages", paced_model="bench-messages-paced")
        whole, chunks = requests(bench, [over])[subject.name], streams(bench, [over])[subject.name]
        figures[subject.name] = {"cpu": whole["cpu"], "chunk": chunks["cpu"]}
    return figures


def latency(bench: Bench, subjects: list[Subject]) -> Figures:
    """Seconds added to the provider's own answer, one call at a time."""
    samples: dict[str, list[dict[str, float]]] = {}
    for subject in bench.turns([direct(bench.stage, bench.mock), *subjects]):
        seen = _wrk(bench, subject, 1, bench.effort.seconds / 2)
        samples.setdefault(subject.name, []).append({point: seen[point] / 1e6 for point in ("p50", "p99")})
    middle = take_medians(samples)
    base = middle.pop("direct")
    return {name: {point: seen[point] - base[point] for point in seen} for name, seen in middle.items()}


def held(bench: Bench, subjects: list[Subject]) -> Figures:
    """Bytes of a freshly started process at rest, and more of them per stream that is open and silent."""
    figures = {}
    for name in bench.names:
        subject = STARTERS[name](bench.stage)
        count = min(bench.effort.held, subject.can_hold)
        try:
            time.sleep(bench.effort.rest)
            rss, pss = memory(subject.process.pid)
            rss_held, pss_held = _hold(bench, subject, count)
        finally:
            subject.process.stop()
        figures[subject.name] = {
            "rss": float(rss),
            "pss": float(pss),
            "rss_per_stream": (rss_held - rss) / count,
            "pss_per_stream": (pss_held - pss) / count,
        }
    return figures


def ready(bench: Bench, subjects: list[Subject]) -> Figures:
    """Seconds from starting the process until it says it is ready."""
    figures = {}
    for name in (name for name in bench.names if name != "nginx"):
        starts = bench.effort.starts if name in ("on", "bare") else 1
        fresh = [_start_once(STARTERS[name], bench.stage) for _ in range(starts)]
        figures[fresh[0].name] = {"fresh": median(subject.ready[0] for subject in fresh)}
    if "on" in bench.names:
        figures[ON]["again"] = _start_again(bench)
    return figures


def _start_once(starter: Callable[[Stage], Subject], stage: Stage) -> Subject:
    subject = starter(stage)
    subject.process.stop()
    return subject


def _start_again(bench: Bench) -> float:
    folder = bench.stage.folder / "again"
    seen = []
    for _ in range(bench.effort.starts + 1):
        subject = start_antiphon(bench.stage, ON, "on", folder)
        subject.process.stop()
        seen += subject.ready
    return median(seen[1:])


def imports(bench: Bench, subjects: list[Subject]) -> Figures:
    """Seconds that ``import antiphon`` adds to starting Python, with and without naming a client."""
    programs = {"python": "pass", "module": "import antiphon", "client": "from antiphon import Antiphon, AsyncAntiphon"}
    samples: dict[str, list[float]] = {name: [] for name in programs}
    for _ in range(bench.effort.imports + 1):
        for name, program in programs.items():
            began = time.perf_counter()
            _run(bench, [sys.executable, "-c", program])
            samples[name].append(time.perf_counter() - began)
    # The first round fills the page cache and writes the compiled files.
    middle = {name: median(taken[1:]) for name, taken in samples.items()}
    return {"antiphon": {name: middle[name] - middle["python"] for name in ("module", "client")}}


def sdk(bench: Bench, subjects: list[Subject]) -> Figures:
    """CPU time of one call through an SDK in process, against the same provider."""
    stage = bench.stage
    config = stage.folder / "sdk.yaml"
    switches = SWITCHES["on"].format(port=0)
    config.write_text(
        CONFIG.format(switches=switches, data=stage.folder / "sdk", whole=stage.whole, paced=stage.paced),
        encoding="utf-8",
    )
    names = {"openai": sys.executable, "antiphon": sys.executable}
    if stage.litellm is not None:
        names["litellm"] = str(stage.litellm / "bin" / "python")
    kinds = {"sync": "", "async": "-async"}
    samples: dict[tuple[str, str], list[float]] = {}
    for _ in range(bench.effort.rounds):
        for name, interpreter in names.items():
            for kind, suffix in kinds.items():
                arguments = ["--base-url", f"http://127.0.0.1:{stage.whole}/v1", "--config", str(config)]
                counts = ["--count", str(bench.effort.sdk_calls)]
                seen = _run(bench, [interpreter, "-m", "bench.sdk", name + suffix, *arguments, *counts])
                samples.setdefault((name, kind), []).append(json.loads(seen.splitlines()[-1])["cpu"])
    return {name: {kind: median(samples[name, kind]) for kind in kinds} for name in names}


def walk(bench: Bench, subjects: list[Subject]) -> Figures:
    """Python calls, files and moves between files of one call or chunk (:mod:`bench.walk`)."""
    output = _run(bench, [sys.executable, "-m", "bench.walk", "--json", "--times", str(bench.effort.walks)])
    figures: Figures = json.loads(output)
    return figures


ROWS: dict[str, Callable[[Bench, list[Subject]], Figures]] = {
    "requests": requests,
    "streams": streams,
    "translation": translation,
    "latency": latency,
    "held": held,
    "ready": ready,
    "imports": imports,
    "sdk": sdk,
    "walk": walk,
}
NEXT_TO_NOTHING = 0.03
SETTLE_LIMIT = 20.0
LOADED = ("requests", "streams", "translation", "latency")
"""Rows that need the subjects to be running."""


def settle(bench: Bench, pid: int) -> None:
    """Wait until a process uses next to nothing, so that work put off until after the load is not missed."""
    ends, before = time.monotonic() + SETTLE_LIMIT, cpu_seconds(pid)
    while time.monotonic() < ends:
        time.sleep(bench.effort.quiet)
        now = cpu_seconds(pid)
        if now - before < NEXT_TO_NOTHING * bench.effort.quiet:
            return
        before = now


def _wrk(bench: Bench, subject: Subject, connections: int, seconds: float) -> dict[str, float]:
    whole_seconds = max(1, round(seconds))
    command = ["wrk", "-t1", f"-c{connections}", f"-d{whole_seconds}s", "--timeout", "10s"]
    script = ["-s", str(ROOT / "bench" / "calls.lua"), subject.url(subject.whole_path)]
    output = _run(bench, [*command, *script, "--", subject.whole_model, subject.key], core=bench.stage.load_core)
    seen: dict[str, float] = json.loads(output.splitlines()[-1])
    if seen["errors"] or not seen["requests"]:
        raise RuntimeError(f"{subject.name}: {seen}\n{output}\n{subject.process.last_words()}")
    return seen


def _streams(bench: Bench, subject: Subject) -> dict[str, Any]:
    effort = bench.effort
    command = python("bench.streams", subject.url(subject.paced_path), "--model", subject.paced_model)
    options = ["--key", subject.key, "--watch", subject.process.pid, "--connections", effort.connections]
    window = ["--warm", effort.warm, "--seconds", effort.seconds]
    output = _run(bench, [*command, *map(str, options + window)], core=bench.stage.load_core)
    seen: dict[str, Any] = json.loads(output)
    return seen


def _hold(bench: Bench, subject: Subject, count: int) -> tuple[int, int]:
    command = python("bench.streams", subject.url(subject.paced_path), "--model", subject.hold_model)
    options = ["--key", subject.key, "--hold", str(count)]
    with subprocess.Popen(
        [*command, *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as client:
        assert client.stdin is not None
        assert client.stdout is not None
        opened = client.stdout.readline()
        try:
            if not opened:
                raise RuntimeError(f"{subject.name}: the streams were not opened\n{subject.process.last_words()}")
            time.sleep(bench.effort.rest)
            return memory(subject.process.pid)
        finally:
            client.stdin.close()


def _run(bench: Bench, command: list[str], core: int | None = None) -> str:
    chosen = bench.stage.core if core is None else core
    with tempfile.TemporaryFile("w+") as errors:
        done = subprocess.run(
            command,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            check=False,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            preexec_fn=lambda: os.sched_setaffinity(0, {chosen}),
        )
        if done.returncode:
            errors.seek(0)
            raise RuntimeError(f"{' '.join(command[:4])} failed:\n{errors.read()[-3000:]}")
    return done.stdout


__all__ = ["FULL", "LOADED", "PATH", "ROWS", "SMOKE", "Bench", "Effort", "Figures", "Path"]
