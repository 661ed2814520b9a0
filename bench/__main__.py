"""``python -m bench``: run the rows asked for, print the page, keep the figures in ``.bench/last.json``."""

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
from bench.machine import cores, describe, free_port
from bench.measure import FULL, LOADED, ROWS, SMOKE, Bench, Figures
from bench.process import ROOT, Process, python, wait_ready
from bench.subjects import STARTERS, Stage, Subject

HOW = """\
The provider (nginx answering a chat completion of {size} bytes; for streams a small uvloop server that writes 200
chunks 10 ms apart) and the load (wrk; for streams a small uvloop client) share one core; what is measured has the
other one to itself. {connections} connections, {rounds} alternating rounds of {seconds:g} s after a warm-up, medians.
CPU time is user and system time of the process as the operating system counts it, over the requests (chunks)
completed; work that a program puts off until after the load, such as shipping records to the database, is waited for
and counted. *All on*: keys, journal, ledger database and metrics. *All off*: `bench/off.py`, the same server over a
runtime that asks for no key and records nothing. *Bare Python*: `bench/bare.py`, uvicorn and an httptools client with
nothing between them. Memory per idle stream is the growth of RSS at {held:,} open, silent streams of a freshly
started process (LiteLLM, which cannot open as many within a minute: 200). SDK calls run one after the other in one
process against the nginx provider. Added latency is measured with one connection, against the provider's own answer.
What a call walks through is counted by `bench/walk.py`, which defines it."""


def parse(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/bench", description="Measure what a call costs, beside nginx and others."
    )
    parser.add_argument("--smoke", action="store_true", help="a short form that only shows that every row is produced")
    parser.add_argument("--only", default=",".join(ROWS), help=f"rows, by comma: {', '.join(ROWS)}")
    parser.add_argument("--subjects", default="nginx,bare,off,on", help=f"by comma: {', '.join(STARTERS)}")
    parser.add_argument("--litellm", type=Path, metavar="VENV", help="also measure LiteLLM from this environment")
    parser.add_argument("--write", action="store_true", help="write docs/benchmarks.md")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON instead of the page")
    parser.add_argument("--profile", action="store_true", help="profile the gateway (all on) under the rows' load")
    parser.add_argument("--keep", action="store_true", help="keep configurations and logs, and say where")
    options = parser.parse_args(argv)
    options.rows = options.only.split(",")
    options.names = options.subjects.split(",")
    if options.litellm is not None:
        options.names.append("litellm")
    if options.profile:
        options.names = ["on"]
    for asked, known in ((options.rows, ROWS), (options.names, STARTERS)):
        unknown = [name for name in asked if name not in known]
        if unknown:
            parser.error(f"unknown: {', '.join(unknown)}; known: {', '.join(known)}")
    if options.write and (options.smoke or options.profile or set(options.rows) != set(ROWS)):
        parser.error("--write publishes a whole run: leave out --smoke, --profile and --only")
    return options


def run(options: argparse.Namespace, folder: Path) -> dict[str, Figures]:
    load_core, core = cores()
    os.sched_setaffinity(0, {load_core})
    profile = folder / "profile" if options.profile else None
    litellm = options.litellm.resolve() if options.litellm else None
    stage = Stage(folder, load_core, core, free_port(), free_port(), litellm, profile)
    rows = {}
    with ExitStack() as stack:
        mock = stack.enter_context(providers(stage))
        bench = Bench(stage, SMOKE if options.smoke else FULL, tuple(options.names), mock)
        for group in (True, False):
            wanted = [name for name in options.rows if (name in LOADED) == group]
            with running(stage, options.names if group and wanted else []) as subjects:
                for name in wanted:
                    print(f"bench: {name} …", file=sys.stderr)
                    try:
                        rows[name] = ROWS[name](bench, subjects)
                    except RuntimeError as error:
                        # The other rows are worth having; the exit code still says that this one failed.
                        print(f"bench: {name} failed: {error}", file=sys.stderr)
    if profile is not None:
        show_profile(profile)
    return rows


@contextmanager
def providers(stage: Stage) -> Iterator[Process]:
    with ExitStack() as stack:
        mock = nginx.start_mock(stage.folder / "nginx-mock", stage.load_core, stage.whole)
        stack.callback(mock.stop)
        paced = Process(python("bench.mock", "--port", stage.paced), stage.load_core, stage.folder / "mock.log")
        stack.callback(paced.stop)
        wait_ready(paced, stage.paced)
        yield mock


@contextmanager
def running(stage: Stage, names: list[str]) -> Iterator[list[Subject]]:
    with ExitStack() as stack:
        subjects = []
        for name in names:
            subject = STARTERS[name](stage)
            stack.callback(subject.process.stop)
            subjects.append(subject)
        yield subjects


def show_profile(path: Path) -> None:
    for order in ("tottime", "cumulative"):
        pstats.Stats(str(path), stream=sys.stderr).sort_stats(order).print_stats(40)


def main() -> int:
    options = parse(sys.argv[1:])
    if not nginx.available():
        print("bench: nginx and wrk are needed (Debian: apt install nginx-light wrk)", file=sys.stderr)
        return 1
    machine = describe()
    folder = Path(tempfile.mkdtemp(prefix="antiphon-bench-"))
    try:
        rows = run(options, folder)
    except RuntimeError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    finally:
        if options.keep:
            print(f"bench: kept in {folder}", file=sys.stderr)
        else:
            shutil.rmtree(folder, ignore_errors=True)
    publish(options, rows, machine)
    return 0 if set(rows) == set(options.rows) else 1


def publish(options: argparse.Namespace, rows: dict[str, Figures], machine: dict[str, str]) -> None:
    effort = SMOKE if options.smoke else FULL
    how = HOW.format(
        size=len(nginx.REPLY),
        connections=effort.connections,
        rounds=effort.rounds,
        seconds=effort.seconds,
        held=effort.held,
    )
    text = json.dumps({"machine": machine, "rows": rows, "figures": report.verdicts(rows)}, indent=2) + "\n"
    if not options.smoke:
        kept = ROOT / ".bench"
        kept.mkdir(exist_ok=True)
        (kept / "last.json").write_text(text, encoding="utf-8")
    page = report.markdown(rows, machine, how)
    if options.write and set(rows) == set(options.rows):
        (ROOT / "docs" / "benchmarks.md").write_text(page, encoding="utf-8")
    print(text if options.json else page)


if __name__ == "__main__":
    sys.exit(main())
