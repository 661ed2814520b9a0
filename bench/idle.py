"""What a provider behind LiteLLM costs the gateway while nobody calls it: ``python -m bench.idle``.

The gateway is started alternately with and without such a provider in its configuration, each time with a new data
directory, and is left alone for a second.

- *Ready* is the time until ``/health/ready`` answers 200; other work on the machine makes it longer.
- *CPU* is the CPU time used by the end of that second; it compares the same work and varies less.
- *Memory* includes all child processes, so a LiteLLM process would be counted.

The two configurations have the same number of providers and differ in the last one only. LiteLLM need not be installed.

Prints Markdown: the median, and the range of the middle half of the starts.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path
from statistics import median, quantiles

import psutil

from bench.machine import choose_cores, find_free_port, read_cpu_seconds, read_memory
from bench.process import Process, build_command, wait_ready

LAST: dict[str, dict[str, str]] = {
    "without": {"kind": "openai-compatible", "base_url": "http://127.0.0.1:9/v1"},
    "with `via: litellm`": {"via": "litellm", "kind": "watsonx", "base_url": "http://127.0.0.1:9/v1"},
}
"""The provider in which the two configurations differ."""
FIGURES = {
    "ready": ("s", 1.0, 3),
    "CPU until at rest": ("s", 1.0, 3),
    "RSS": ("MB", 1e6, 2),
    "PSS": ("MB", 1e6, 2),
    "processes": ("", 1.0, 0),
}
"""Figure to its unit, the factor of the unit, and the number of decimals that are significant."""
REST = 1.0
"""Seconds between readiness and reading the memory."""

Starts = dict[str, list[dict[str, float]]]


def measure_start(folder: Path, name: str) -> dict[str, float]:
    """Return the figures of one start."""
    port = find_free_port()
    providers = {
        "openai": {"kind": "openai", "base_url": "http://127.0.0.1:9/v1", "api_key": "bench"},
        "last": LAST[name],
    }
    config = {"version": 1, "server": {"port": port}, "data": str(folder / "data"), "providers": providers}
    path = folder / "antiphon.yaml"
    path.write_text(json.dumps(config), encoding="utf-8")
    process = Process(build_command("antiphon", "serve", "--config", path), choose_cores()[1], folder / "log")
    try:
        ready = wait_ready(process, port)
        time.sleep(REST)
        rss, pss = read_memory(process.pid)
        children = psutil.Process(process.pid).children(recursive=True)
        figures = (ready, read_cpu_seconds(process.pid), float(rss), float(pss), 1.0 + len(children))
        return dict(zip(FIGURES, figures, strict=True))
    finally:
        process.stop()


def measure_starts(starts: int) -> Starts:
    """Return the figures of ``starts`` alternating starts of each; a first pair is not counted."""
    results: Starts = {name: [] for name in LAST}
    for number in range(starts + 1):
        # The first start of a pair finds the machine as the previous pair left it, so the order alternates.
        for name in sorted(LAST, reverse=number % 2 == 1):
            with tempfile.TemporaryDirectory(prefix="antiphon-bench-") as folder:
                figures = measure_start(Path(folder), name)
            if number:
                results[name].append(figures)
    return results


def render_table(results: Starts) -> str:
    """Return the Markdown table of medians, with the range of the middle half of the starts in brackets."""
    first, second = results
    lines = [f"| idle gateway | {first} | {second} | difference |", "|---|--:|--:|--:|"]
    for figure, (unit, factor, decimals) in FIGURES.items():
        columns = {name: [start[figure] / factor for start in starts] for name, starts in results.items()}
        cells = [_format_column(column, unit, decimals) for column in columns.values()]
        change = median(columns[second]) - median(columns[first])
        lines.append(f"| {figure} | {' | '.join(cells)} | {f'{change:+.{decimals}f} {unit}'.strip()} |")
    return "\n".join(lines)


def _format_column(column: list[float], unit: str, decimals: int) -> str:
    middle = f"{median(column):.{decimals}f} {unit}".strip()
    low, high = (f"{value:.{decimals}f}" for value in quantiles(column, n=4, method="inclusive")[::2])
    return middle if low == high else f"{middle} ({low}–{high})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--starts", type=int, default=15, help="starts of each configuration, at least 2 [%(default)s]")
    print(render_table(measure_starts(parser.parse_args().starts)))


if __name__ == "__main__":
    main()
