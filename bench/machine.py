"""The machine: its cores, its counters, its description."""

import os
import platform
import socket
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path

import psutil

PACKAGES = ("uvicorn", "uvloop", "httptools", "msgspec", "sqlalchemy", "openai")


def choose_cores() -> tuple[int, int]:
    """Return the core for the load and the provider, and the core for the measured program; they may be the same."""
    allowed = sorted(os.sched_getaffinity(0))
    return allowed[0], allowed[-1]


def find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _list_processes(pid: int) -> list[psutil.Process]:
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]


def read_cpu_seconds(pid: int) -> float:
    """Return the user and system time of a process, its threads and its children so far."""
    return sum(time.clock_gettime(_get_cpu_clock(process.pid)) for process in _list_processes(pid))


def _get_cpu_clock(pid: int) -> int:
    """Return the id of Linux's nanosecond clock of a process's CPU time, as clock_getcpuclockid(3) computes it."""
    return (~pid << 3) | 2


def read_memory(pid: int) -> tuple[int, int]:
    """Return the RSS and PSS of a process and its children, in bytes."""
    infos = [process.memory_full_info() for process in _list_processes(pid)]
    return sum(info.rss for info in infos), sum(info.pss for info in infos)


def describe_machine() -> dict[str, str]:
    """Return what a reader needs to know about the machine to judge the figures."""
    return {
        "processor": _read_processor(),
        "cores": str(os.cpu_count()),
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "kernel": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "nginx": _read_version(["nginx", "-v"]),
        "busy with other work at the start": f"{psutil.cpu_percent(1.0):.0f} %",
        "packages": ", ".join(f"{name} {metadata.version(name)}" for name in PACKAGES),
    }


def _read_processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or sys.platform


def _read_version(command: list[str]) -> str:
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    return (result.stdout + result.stderr).strip().rpartition("/")[2]
