"""Every lock installs as it is, with the oldest pip that a supported Python brings along, and is complete."""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from environments import LOCKED, PIP, TOOLS, fingerprint, hold_lock, install_lock, lock_path, make_environment, run
from project.test_project_files import LOCKS, list_requirements

ENTRY = re.compile(r"^([a-z0-9][a-z0-9._-]*==[^\\\n]+)", re.MULTILINE)
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
SYSTEMS = ("linux", "darwin")

pytestmark = pytest.mark.timeout(1200)  # downloads what no cache has


def list_pins(name: str, environ: dict[str, str]) -> dict[str, str]:
    """Return the versions a lock pins for a Python on a system."""
    entries = [Requirement(text) for text in ENTRY.findall(lock_path(name).read_text(encoding="utf-8"))]
    applicable = [entry for entry in entries if entry.marker is None or entry.marker.evaluate(environ)]
    pins = {canonicalize_name(entry.name): str(entry.specifier).removeprefix("==") for entry in applicable}
    assert len(pins) == len(applicable), f"{name} pins a package twice"
    return pins


@pytest.fixture(scope="module", params=LOCKS)
def report(request: pytest.FixtureRequest) -> tuple[str, list[dict[str, Any]]]:
    """A lock and what the oldest pip would install from it into an empty environment.

    That pip downloads the files and checks their hashes. The answer is kept until the lock, pip or Python changes.
    """
    name = request.param
    kept = TOOLS / "reports" / f"{name}-{fingerprint(lock_path(name), lock_path('pip'))}.json"
    with hold_lock(kept.parent):
        if not kept.exists():
            python = make_environment("pip")
            unfinished = kept.with_suffix(".part")
            options = ("--quiet", "--dry-run", "--ignore-installed", "--report", str(unfinished))
            run([str(python), *PIP, "install", *options, *LOCKED, "--requirement", str(lock_path(name))])
            for old in kept.parent.glob(f"{name}-*.json"):
                old.unlink()
            unfinished.rename(kept)
    installed: list[dict[str, Any]] = json.loads(kept.read_text(encoding="utf-8"))["install"]
    return name, installed


def test_pip_installs_what_is_locked_and_nothing_else(report: tuple[str, list[dict[str, Any]]]):
    name, installed = report
    found = {canonicalize_name(entry["metadata"]["name"]): entry["metadata"]["version"] for entry in installed}
    assert found == list_pins(name, dict(default_environment()))


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("system", SYSTEMS)
def test_a_lock_holds_all_that_its_packages_need(report: tuple[str, list[dict[str, Any]]], python: str, system: str):
    """Follow what each package asks for, extras included, which ``pip check`` leaves out.

    For another Python or system, packages that this one does not install are not asked what they need.
    """
    name, installed = report
    needs = {
        canonicalize_name(entry["metadata"]["name"]): entry["metadata"].get("requires_dist", []) for entry in installed
    }
    environ = dict(default_environment()) | {"python_version": python, "python_full_version": f"{python}.0"}
    environ |= {"sys_platform": system, "platform_system": system.capitalize()}
    pins = list_pins(name, environ)
    reached = set()
    for package, asked_by in follow(list_requirements(name), needs, environ):
        version = pins.get(canonicalize_name(package.name))
        assert version, f"{package}, which {asked_by} needs, is not in requirements/{name}.txt"
        assert package.specifier.contains(version, prereleases=True), f"{asked_by} needs {package}, not {version}"
        reached.add(canonicalize_name(package.name))
    if pins.keys() <= needs.keys():
        assert pins.keys() == reached, f"nothing in requirements/{name}.txt needs {pins.keys() - reached}"


def follow(
    wanted: list[Requirement], needs: dict[str, list[str]], environ: dict[str, str]
) -> Iterator[tuple[Requirement, str]]:
    """Yield each requirement that holds in ``environ``, and the one that asked for it."""
    seen = set()
    waiting = [(requirement, "pyproject.toml", frozenset[str]()) for requirement in wanted]
    while waiting:
        requirement, asked_by, extras = waiting.pop()
        marker = requirement.marker
        if marker and not any(marker.evaluate(environ | {"extra": extra}) for extra in extras or {""}):
            continue
        yield requirement, asked_by
        name, more = canonicalize_name(requirement.name), frozenset(requirement.extras)
        if (name, more) not in seen:
            seen.add((name, more))
            waiting += [(Requirement(text), name, more | {""}) for text in needs.get(name, [])]


@pytest.mark.slow
@pytest.mark.parametrize("name", LOCKS if os.environ.get("ANTIPHON_CAMPAIGN") else ("pip",))
def test_an_environment_made_from_a_lock_passes_pips_own_check(name: str, tmp_path: Path):
    install_lock(tmp_path / "venv", lock_path(name))
    listed = json.loads(run([str(tmp_path / "venv/bin/python"), *PIP, "list", "--format", "json"]))
    found = {canonicalize_name(entry["name"]): entry["version"] for entry in listed}
    brought_along = {"pip", "setuptools", "wheel"} - list_pins(name, dict(default_environment())).keys()
    assert {key: found[key] for key in found.keys() - brought_along} == list_pins(name, dict(default_environment()))
