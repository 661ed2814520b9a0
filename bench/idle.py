"""What a provider behind LiteLLM costs the gateway while nobody calls it: ``python -m bench.idle``.

The same gateway is started with such a provider in its configuration and without, in turns, each start with a data
directory of its own, and is left alone for a second. Ready is the time until ``/health/ready`` answers 200, which other
work on the machine stretches; CPU is the work done until the end of that second, which tells the same more steadily.
Memory is that of the process and of all its children at rest, so a LiteLLM that was started would be counted. The two
configurations have the same number of providers and differ in the last one only. LiteLLM need not be installed.

Prints Markdown: the median, and the range of the middle half of the starts.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path
from statistics import median, quantiles

import psutil

from bench.machine import cores, cpu_seconds, free_port, memory
from bench.process import Process, python, wait_ready

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
"""What is measured: its unit, what one of them is, and the decimals that mean something."""
REST = 1.0
"""Seconds between ready and looking at the memory."""

Starts = dict[str, list[dict[str, float]]]


def start(folder: Path, name: str) -> dict[str, float]:
    """Return the figures of one start."""
    port = free_port()
    providers = {
        "openai": {"kind": "openai", "base_url": "http://127.0.0.1:9/v1", "api_key": "bench"},
        "last": LAST[name],
    }
    config = {"version": 1, "server": {"port": port}, "data": str(folder / "data"), "providers": providers}
    path = folder / "antiphon.yaml"
    path.write_text(json.dumps(config), encoding="utf-8")
    process = Process(python("antiphon", "serve", "--config", path), cores()[1], folder / "log")
    try:
        ready = wait_ready(process, port)
        time.sleep(REST)
        rss, pss = memory(process.pid)
        children = psutil.Process(process.pid).children(recursive=True)
        figures = (ready, cpu_seconds(process.pid), float(rss), float(pss), 1.0 + len(children))
        return dict(zip(FIGURES, figures, strict=True))
    finally:
        process.stop()


def run(starts: int) -> Starts:
    """Return the figures of ``starts`` starts each, in turns; one more of each comes first and is not counted."""
    found: Starts = {name: [] for name in LAST}
    for number in range(starts + 1):
        # Whoever is first in a pair finds the machine as the pair before left it: take turns at that too.
        for name in sorted(LAST, reverse=number % 2 == 1):
            with tempfile.TemporaryDirectory(prefix="antiphon-bench-") as folder:
                figures = start(Path(folder), name)
            if number:
                found[name].append(figures)
    return found


def table(found: Starts) -> str:
    """Return the Markdown table of medians, with the middle half of the starts in brackets."""
    first, second = found
    lines = [f"| idle gateway | {first} | {second} | difference |", "|---|--:|--:|--:|"]
    for figure, (unit, one, decimals) in FIGURES.items():
        columns = {name: [each[figure] / one for each in starts] for name, starts in found.items()}
        shown = [_shown(column, unit, decimals) for column in columns.values()]
        change = median(columns[second]) - median(columns[first])
        lines.append(f"| {figure} | {' | '.join(shown)} | {f'{change:+.{decimals}f} {unit}'.strip()} |")
    return "\n".join(lines)


def _shown(column: list[float], unit: str, decimals: int) -> str:
    middle = f"{median(column):.{decimals}f} {unit}".strip()
    low, high = (f"{each:.{decimals}f}" for each in quantiles(column, n=4, method="inclusive")[::2])
    return middle if low == high else f"{middle} ({low}–{high})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--starts", type=int, default=15, help="of each, at least 2 [%(default)s]")
    print(table(run(parser.parse_args().starts)))


if __name__ == "__main__":
    main()
