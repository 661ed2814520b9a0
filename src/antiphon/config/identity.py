"""The identity of an account at a cloud whose credentials expire, from the configuration or the usual variables."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from antiphon.catalog.kinds import CREDENTIAL_SOURCES, Kind, find_install_command
from antiphon.types import Identity, Secret


def list_identity_settings(kind: Kind) -> tuple[str, ...]:
    """Return the keys of an account that select credentials that expire; none if the kind has no such credentials."""
    return CREDENTIAL_SOURCES[kind.identity.source].settings if kind.identity is not None else ()


def find_identity_variables(kind: Kind, environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return the variables in ``environ`` that select the source of the kind's credentials, or none."""
    if kind.identity is None:
        return ()
    groups = CREDENTIAL_SOURCES[kind.identity.source].env
    return next((group for group in groups if all(environ.get(name) for name in group)), ())


def find_missing_extra(kind: Kind) -> str:
    """Return the command that installs the library of the kind's source, or ``""`` if nothing is missing."""
    return find_install_command(CREDENTIAL_SOURCES[kind.identity.source]) if kind.identity is not None else ""


def make_identity(kind: Kind, params: Mapping[str, str], settings: Mapping[str, Any]) -> Identity:
    """Return the identity of an account: the parameters of its row, overridden and extended by ``settings``.

    The path of a file becomes absolute, from the current working directory.
    """
    row = kind.identity
    assert row is not None
    source = CREDENTIAL_SOURCES[row.source]
    defaults = {name: text.format_map(params) for name, text in row.params.items()}
    secrets = {name: value for name, value in settings.items() if isinstance(value, Secret)}
    texts = {name: str(value) for name, value in settings.items() if name not in secrets and name != "credentials"}
    texts |= {name: str(Path(texts[name]).expanduser().resolve()) for name in source.files if name in texts}
    return Identity(row.source, defaults | texts, secrets, source.advice)


def find_file_problems(kind: Kind, values: Mapping[str, Any], names: Iterable[str]) -> dict[str, str]:
    """Return the problems of the credential files in ``values``, by setting or variable; only of those in ``names``."""
    if kind.identity is None:
        return {}
    files = CREDENTIAL_SOURCES[kind.identity.source].files
    file_names = [name for name in names if name in files or name in files.values()]
    problems = {name: _check_file(values[name]) for name in file_names if isinstance(values[name], str)}
    return {name: problem for name, problem in problems.items() if problem}


def _check_file(file: str) -> str:
    try:
        document = json.loads(Path(file).expanduser().read_bytes())
    except OSError:
        return f"there is no file {file} that can be read"
    except ValueError:
        return f"{file} is not JSON"
    has_type = isinstance(document, dict) and isinstance(document.get("type"), str)
    return "" if has_type else f"{file} has no `type`, so it is not a credentials file"
