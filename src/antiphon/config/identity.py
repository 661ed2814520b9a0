"""Who an account is at a cloud whose credentials expire: as a configuration says it, or as the usual variables do."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from antiphon.catalog.kinds import SOURCES, Kind, missing
from antiphon.types import Identity, Secret


def settings_of(kind: Kind) -> tuple[str, ...]:
    """Return the keys of an account by which a kind's credentials are said to be renewed; none where none can."""
    return SOURCES[kind.identity.source].settings if kind.identity is not None else ()


def variables_of(kind: Kind, environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return the variables that say where the kind's credentials come from, or none where they do not."""
    if kind.identity is None:
        return ()
    groups = SOURCES[kind.identity.source].env
    return next((group for group in groups if all(environ.get(name) for name in group)), ())


def lacking(kind: Kind) -> str:
    """Return the command that installs what a kind's source needs, or nothing where it is there or not needed."""
    return missing(SOURCES[kind.identity.source]) if kind.identity is not None else ""


def identity_of(kind: Kind, params: Mapping[str, str], stated: Mapping[str, Any]) -> Identity:
    """Return the identity of an account: what its row says, with what the account states instead or beside it.

    A file is taken as it is found from the working directory of now.
    """
    row = kind.identity
    assert row is not None
    source = SOURCES[row.source]
    filled = {name: text.format_map(params) for name, text in row.params.items()}
    secrets = {name: value for name, value in stated.items() if isinstance(value, Secret)}
    told = {name: str(value) for name, value in stated.items() if name not in secrets and name != "credentials"}
    told |= {name: str(Path(told[name]).expanduser().resolve()) for name in source.files if name in told}
    return Identity(row.source, filled | told, secrets, source.advice)


def file_problems(kind: Kind, named: Mapping[str, Any], names: Iterable[str]) -> dict[str, str]:
    """Return what is wrong with the files of credentials among ``names``, by the setting or variable that names one."""
    if kind.identity is None:
        return {}
    files = SOURCES[kind.identity.source].files
    wanted = [name for name in names if name in files or name in files.values()]
    found = {name: _file_problem(named[name]) for name in wanted if isinstance(named[name], str)}
    return {name: problem for name, problem in found.items() if problem}


def _file_problem(file: str) -> str:
    try:
        document = json.loads(Path(file).expanduser().read_bytes())
    except OSError:
        return f"there is no file {file} that can be read"
    except ValueError:
        return f"{file} is not JSON"
    typed = isinstance(document, dict) and isinstance(document.get("type"), str)
    return "" if typed else f"{file} has no `type`, so it is no file of credentials"
