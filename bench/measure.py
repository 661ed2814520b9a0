"""The rows of the bench: each puts one kind of load on every subject in turn and reads the system's counters.

A subject is a program that is measured (:mod:`bench.subjects`).
"""

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

from bench.machine import read_cpu_seconds, read_memory
from bench.process import ROOT, Process, build_command
from bench.subjects import CONFIG, ON, PATH, STARTERS, SWITCHES, Stage, Subject, make_provider_subject, start_antiphon

Figures = dict[str, dict[str, float]]
"""Subject to figure to value, in seconds, bytes and counts."""


@dataclass(frozen=True)
class Effort:
    """How long and how often to measure: the full form gives figures, the smoke form shows that everything runs."""

    seconds: float
    warm: float
    rounds: int
    connections: int
    idle_streams: int
    starts: int
    imports: int
    sdk_calls: int
    walks: int
    quiet: float
    """Seconds without work after which a program counts as idle; longer than the interval of any periodic work."""
    rest: float
    """Seconds to wait before the memory is read."""


FULL = Effort(
    seconds=6,
    warm=2,
    rounds=3,
    connections=64,
    idle_streams=2000,
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
    idle_streams=20,
    starts=1,
    imports=1,
    sdk_calls=20,
    walks=1,
    quiet=0.1,
    rest=0.1,
)


@dataclass(frozen=True)
class Bench:
    """One run: the stage, the effort, the names of the subjects, and the provider of whole answers."""

    stage: Stage
    effort: Effort
    names: tuple[str, ...]
    mock: Process

    def iterate_rounds(self, subjects: Iterable[Subject]) -> Iterable[Subject]:
        """Yield the subjects in alternating rounds, so that a change of the machine's speed affects all of them."""
        subjects = list(subjects)
        for _ in range(self.effort.rounds):
            yield from subjects


def measure_requests(bench: Bench, subjects: list[Subject]) -> Figures:
    """Measure CPU time per whole answer, and the latency at the run's number of connections.

    The CPU time includes work that the program does after the load.
    """
    samples: dict[str, list[dict[str, float]]] = {}
    for subject in subjects if bench.effort.warm else ():
        _run_wrk(bench, subject, bench.effort.connections, bench.effort.warm)
        wait_until_idle(bench, subject.process.pid)
    for subject in bench.iterate_rounds(subjects):
        before = read_cpu_seconds(subject.process.pid)
        result = _run_wrk(bench, subject, bench.effort.connections, bench.effort.seconds)
        wait_until_idle(bench, subject.process.pid)
        cpu = read_cpu_seconds(subject.process.pid) - before
        figures = {
            "cpu": cpu / result["requests"],
            "rate": result["requests"] / result["seconds"],
            "p99": result["p99"] / 1e6,
        }
        samples.setdefault(subject.name, []).append(figures)
    return take_medians(samples)


def measure_streams(bench: Bench, subjects: list[Subject]) -> Figures:
    """Measure CPU time per stream chunk; chunks are 10 ms apart on every connection."""
    samples: dict[str, list[dict[str, float]]] = {}
    for subject in bench.iterate_rounds(subjects):
        result = _run_streams(bench, subject)
        figures = {"cpu": result["cpu"] / result["chunks"], "rate": result["chunks"] / result["seconds"]}
        samples.setdefault(subject.name, []).append(figures)
    return take_medians(samples)


def take_medians(samples: dict[str, list[dict[str, float]]]) -> Figures:
    return {
        name: {figure: median(sample[figure] for sample in subject_samples) for figure in subject_samples[0]}
        for name, subject_samples in samples.items()
    }


def measure_translation(bench: Bench, subjects: list[Subject]) -> Figures:
    """Measure CPU time of chat completions translated for a provider of the Messages wire, with everything on."""
    figures: Figures = {}
    for subject in (subject for subject in subjects if subject.name == ON):
        translated = replace(subject, whole_model="bench-messages", paced_model="bench-messages-paced")
        whole = measure_requests(bench, [translated])[subject.name]
        chunks = measure_streams(bench, [translated])[subject.name]
        figures[subject.name] = {"cpu": whole["cpu"], "chunk": chunks["cpu"]}
    return figures


def measure_latency(bench: Bench, subjects: list[Subject]) -> Figures:
    """Measure the seconds that a subject adds to a direct call to the provider, one call at a time."""
    samples: dict[str, list[dict[str, float]]] = {}
    for subject in bench.iterate_rounds([make_provider_subject(bench.stage, bench.mock), *subjects]):
        result = _run_wrk(bench, subject, 1, bench.effort.seconds / 2)
        samples.setdefault(subject.name, []).append({point: result[point] / 1e6 for point in ("p50", "p99")})
    medians = take_medians(samples)
    direct = medians.pop("direct")
    return {name: {point: figures[point] - direct[point] for point in figures} for name, figures in medians.items()}


def measure_memory(bench: Bench, subjects: list[Subject]) -> Figures:
    """Measure the bytes of a freshly started process, and those that each open, silent stream adds."""
    figures = {}
    for name in bench.names:
        subject = STARTERS[name](bench.stage)
        count = min(bench.effort.idle_streams, subject.can_hold)
        try:
            time.sleep(bench.effort.rest)
            rss, pss = read_memory(subject.process.pid)
            rss_held, pss_held = _hold_streams(bench, subject, count)
        finally:
            subject.process.stop()
        figures[subject.name] = {
            "rss": float(rss),
            "pss": float(pss),
            "rss_per_stream": (rss_held - rss) / count,
            "pss_per_stream": (pss_held - pss) / count,
        }
    return figures


def measure_startup(bench: Bench, subjects: list[Subject]) -> Figures:
    """Measure the seconds from starting the process until it reports that it is ready."""
    figures = {}
    for name in (name for name in bench.names if name != "nginx"):
        starts = bench.effort.starts if name in ("on", "bare") else 1
        stopped = [_start_once(STARTERS[name], bench.stage) for _ in range(starts)]
        figures[stopped[0].name] = {"first": median(subject.ready[0] for subject in stopped)}
    if "on" in bench.names:
        figures[ON]["later"] = _start_again(bench)
    return figures


def _start_once(starter: Callable[[Stage], Subject], stage: Stage) -> Subject:
    subject = starter(stage)
    subject.process.stop()
    return subject


def _start_again(bench: Bench) -> float:
    folder = bench.stage.folder / "again"
    times = []
    for _ in range(bench.effort.starts + 1):
        subject = start_antiphon(bench.stage, ON, "on", folder)
        subject.process.stop()
        times += subject.ready
    return median(times[1:])


def measure_imports(bench: Bench, subjects: list[Subject]) -> Figures:
    """Measure the seconds that ``import antiphon`` adds to starting Python, with and without importing a client."""
    programs = {"python": "pass", "module": "import antiphon", "client": "from antiphon import Antiphon, AsyncAntiphon"}
    samples: dict[str, list[float]] = {name: [] for name in programs}
    for _ in range(bench.effort.imports + 1):
        for name, program in programs.items():
            started = time.perf_counter()
            _run_command(bench, [sys.executable, "-c", program])
            samples[name].append(time.perf_counter() - started)
    # The first round fills the page cache and writes the compiled files.
    medians = {name: median(times[1:]) for name, times in samples.items()}
    return {"antiphon": {name: medians[name] - medians["python"] for name in ("module", "client")}}


def measure_sdk(bench: Bench, subjects: list[Subject]) -> Figures:
    """Measure CPU time of one call through each SDK in its own process, against the same provider."""
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
                output = _run_command(bench, [interpreter, "-m", "bench.sdk", name + suffix, *arguments, *counts])
                samples.setdefault((name, kind), []).append(json.loads(output.splitlines()[-1])["cpu"])
    return {name: {kind: median(samples[name, kind]) for kind in kinds} for name in names}


def measure_walk(bench: Bench, subjects: list[Subject]) -> Figures:
    """Count Python calls, files and moves between files of one call or chunk (:mod:`bench.walk`)."""
    output = _run_command(bench, [sys.executable, "-m", "bench.walk", "--json", "--times", str(bench.effort.walks)])
    figures: Figures = json.loads(output)
    return figures


ROWS: dict[str, Callable[[Bench, list[Subject]], Figures]] = {
    "requests": measure_requests,
    "streams": measure_streams,
    "translation": measure_translation,
    "latency": measure_latency,
    "memory": measure_memory,
    "ready": measure_startup,
    "imports": measure_imports,
    "sdk": measure_sdk,
    "walk": measure_walk,
}
IDLE_CPU_SHARE = 0.03
"""The share of a core up to which a program counts as idle."""
IDLE_WAIT_LIMIT = 20.0
"""Seconds to wait at most for a program to become idle."""
LOADED = ("requests", "streams", "translation", "latency")
"""Rows that need the subjects to be running."""


def wait_until_idle(bench: Bench, pid: int) -> None:
    """Wait until a process is idle, so that work deferred until after the load is counted."""
    limit, before = time.monotonic() + IDLE_WAIT_LIMIT, read_cpu_seconds(pid)
    while time.monotonic() < limit:
        time.sleep(bench.effort.quiet)
        now = read_cpu_seconds(pid)
        if now - before < IDLE_CPU_SHARE * bench.effort.quiet:
            return
        before = now


def _run_wrk(bench: Bench, subject: Subject, connections: int, seconds: float) -> dict[str, float]:
    whole_seconds = max(1, round(seconds))
    command = ["wrk", "-t1", f"-c{connections}", f"-d{whole_seconds}s", "--timeout", "10s"]
    script = ["-s", str(ROOT / "bench" / "calls.lua"), subject.build_url(subject.whole_path)]
    output = _run_command(
        bench, [*command, *script, "--", subject.whole_model, subject.key], core=bench.stage.load_core
    )
    result: dict[str, float] = json.loads(output.splitlines()[-1])
    if result["errors"] or not result["requests"]:
        raise RuntimeError(f"{subject.name}: {result}\n{output}\n{subject.process.read_log_end()}")
    return result


def _run_streams(bench: Bench, subject: Subject) -> dict[str, Any]:
    effort = bench.effort
    command = build_command("bench.streams", subject.build_url(subject.paced_path), "--model", subject.paced_model)
    options = ["--key", subject.key, "--watch", subject.process.pid, "--connections", effort.connections]
    window = ["--warm", effort.warm, "--seconds", effort.seconds]
    output = _run_command(bench, [*command, *map(str, options + window)], core=bench.stage.load_core)
    result: dict[str, Any] = json.loads(output)
    return result


def _hold_streams(bench: Bench, subject: Subject, count: int) -> tuple[int, int]:
    command = build_command("bench.streams", subject.build_url(subject.paced_path), "--model", subject.hold_model)
    options = ["--key", subject.key, "--hold", str(count)]
    with subprocess.Popen(
        [*command, *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as client:
        assert client.stdin is not None
        assert client.stdout is not None
        first_line = client.stdout.readline()
        try:
            if not first_line:
                raise RuntimeError(f"{subject.name}: the streams were not opened\n{subject.process.read_log_end()}")
            time.sleep(bench.effort.rest)
            return read_memory(subject.process.pid)
        finally:
            client.stdin.close()


def _run_command(bench: Bench, command: list[str], core: int | None = None) -> str:
    cores = {bench.stage.core if core is None else core}
    with tempfile.TemporaryFile("w+") as errors:
        result = subprocess.run(
            command,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            check=False,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            preexec_fn=lambda: os.sched_setaffinity(0, cores),
        )
        if result.returncode:
            errors.seek(0)
            raise RuntimeError(f"{' '.join(command[:4])} failed:\n{errors.read()[-3000:]}")
    return result.stdout


__all__ = ["FULL", "LOADED", "PATH", "ROWS", "SMOKE", "Bench", "Effort", "Figures", "Path"]
