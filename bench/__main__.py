"""``python -m bench``: measure the chosen rows, print the page, and save the figures in ``.bench/last.json``."""

import argparse
import json
import os
import pstats
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench import nginx, report
from bench.machine import choose_cores, describe_machine, find_free_port
from bench.measure import FULL, LOADED, ROWS, SMOKE, Bench, Figures
from bench.process import ROOT, Process, build_command, wait_ready
from bench.subjects import STARTERS, Stage, Subject

METHOD = """\
The provider and the load share one core; the program being measured has the other one to itself. For whole answers,
nginx returns a chat completion of {size} bytes and wrk makes the calls. For streams, both are small uvloop programs,
and the provider writes 200 chunks, 10 ms apart. There are {connections} connections and {rounds} alternating rounds of
{seconds:g} s after a warm-up; the figures are medians.

CPU time is the process's user and system time as the operating system counts it, divided by the completed requests (or
chunks). Work that a program defers until after the load, such as shipping records to the database, is waited for and
counted.

- *All on*: with keys, journal, ledger database and metrics.
- *All off*: `bench/off.py`, the same server over a runtime that requires no key and records nothing.
- *Bare Python*: `bench/bare.py`, uvicorn and an httptools client with nothing between them.
- *Memory per idle stream*: the growth of RSS when a freshly started process holds {idle_streams:,} open, silent streams
  (200 for LiteLLM, which cannot open that many within a minute).
- *SDK*: the calls run one after the other, in one process, against the nginx provider.
- *Added latency*: one connection, compared with calling the provider directly.
- *Python calls, files and moves*: counted and defined by `bench/walk.py`."""


def parse_options(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/bench", description="Measure what a call costs, compared with nginx and others."
    )
    parser.add_argument("--smoke", action="store_true", help="a short run that only shows that every row works")
    parser.add_argument("--only", default=",".join(ROWS), help=f"rows, separated by commas: {', '.join(ROWS)}")
    parser.add_argument(
        "--subjects", default="nginx,bare,off,on", help=f"programs, separated by commas: {', '.join(STARTERS)}"
    )
    parser.add_argument("--litellm", type=Path, metavar="VENV", help="also measure the LiteLLM in this environment")
    parser.add_argument("--write", action="store_true", help="write docs/benchmarks.md")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON instead of the page")
    parser.add_argument("--profile", action="store_true", help="profile the gateway (all on) under the rows' load")
    parser.add_argument("--keep", action="store_true", help="keep configurations and logs, and print their folder")
    options = parser.parse_args(argv)
    options.rows = options.only.split(",")
    options.names = options.subjects.split(",")
    if options.litellm is not None:
        options.names.append("litellm")
    if options.profile:
        options.names = ["on"]
    for names, known in ((options.rows, ROWS), (options.names, STARTERS)):
        unknown = [name for name in names if name not in known]
        if unknown:
            parser.error(f"unknown: {', '.join(unknown)}; known: {', '.join(known)}")
    if options.write and (options.smoke or options.profile or set(options.rows) != set(ROWS)):
        parser.error("--write needs a full run: leave out --smoke, --profile and --only")
    return options


def measure_rows(options: argparse.Namespace, folder: Path) -> dict[str, Figures]:
    load_core, core = choose_cores()
    os.sched_setaffinity(0, {load_core})
    profile = folder / "profile" if options.profile else None
    litellm = options.litellm.resolve() if options.litellm else None
    stage = Stage(folder, load_core, core, find_free_port(), find_free_port(), litellm, profile)
    rows = {}
    with ExitStack() as stack:
        mock = stack.enter_context(run_providers(stage))
        bench = Bench(stage, SMOKE if options.smoke else FULL, tuple(options.names), mock)
        for loaded in (True, False):
            names = [name for name in options.rows if (name in LOADED) == loaded]
            with run_subjects(stage, options.names if loaded and names else []) as subjects:
                for name in names:
                    print(f"bench: {name} …", file=sys.stderr)
                    try:
                        rows[name] = ROWS[name](bench, subjects)
                    except RuntimeError as error:
                        # The other rows are still measured; the exit code reports the failure.
                        print(f"bench: {name} failed: {error}", file=sys.stderr)
    if profile is not None:
        print_profile(profile)
    return rows


@contextmanager
def run_providers(stage: Stage) -> Iterator[Process]:
    with ExitStack() as stack:
        mock = nginx.start_mock(stage.folder / "nginx-mock", stage.load_core, stage.whole)
        stack.callback(mock.stop)
        paced = Process(build_command("bench.mock", "--port", stage.paced), stage.load_core, stage.folder / "mock.log")
        stack.callback(paced.stop)
        wait_ready(paced, stage.paced)
        yield mock


@contextmanager
def run_subjects(stage: Stage, names: list[str]) -> Iterator[list[Subject]]:
    with ExitStack() as stack:
        subjects = []
        for name in names:
            subject = STARTERS[name](stage)
            stack.callback(subject.process.stop)
            subjects.append(subject)
        yield subjects


def print_profile(path: Path) -> None:
    for order in ("tottime", "cumulative"):
        pstats.Stats(str(path), stream=sys.stderr).sort_stats(order).print_stats(40)


def main() -> int:
    options = parse_options(sys.argv[1:])
    if not nginx.is_available():
        print("bench: nginx and wrk are needed (Debian: apt install nginx-light wrk)", file=sys.stderr)
        return 1
    machine = describe_machine()
    folder = Path(tempfile.mkdtemp(prefix="antiphon-bench-"))
    try:
        rows = measure_rows(options, folder)
    except RuntimeError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    finally:
        if options.keep:
            print(f"bench: configurations and logs are in {folder}", file=sys.stderr)
        else:
            shutil.rmtree(folder, ignore_errors=True)
    publish(options, rows, machine)
    return 0 if set(rows) == set(options.rows) else 1


def publish(options: argparse.Namespace, rows: dict[str, Figures], machine: dict[str, str]) -> None:
    effort = SMOKE if options.smoke else FULL
    method = METHOD.format(
        size=len(nginx.REPLY),
        connections=effort.connections,
        rounds=effort.rounds,
        seconds=effort.seconds,
        idle_streams=effort.idle_streams,
    )
    text = json.dumps({"machine": machine, "rows": rows, "figures": report.list_verdicts(rows)}, indent=2) + "\n"
    if not options.smoke:
        results = ROOT / ".bench"
        results.mkdir(exist_ok=True)
        (results / "last.json").write_text(text, encoding="utf-8")
    page = report.render_page(rows, machine, method)
    if options.write and set(rows) == set(options.rows):
        (ROOT / "docs" / "benchmarks.md").write_text(page, encoding="utf-8")
    print(text if options.json else page)


if __name__ == "__main__":
    sys.exit(main())
