"""Imports other programs' configurations."""

from pathlib import Path

import yaml

from antiphon.config.checks import check
from antiphon.config.endpoints import PlaceholderEnviron, read_endpoints
from antiphon.config.yaml_reader import parse_yaml
from antiphon.errors import ConfigError, Fault


def import_file(path: Path, *, keep_secrets: bool) -> tuple[str, tuple[str, ...]]:
    """Return the text of an ``antiphon.yaml`` for a file of endpoint blocks, and notes for the person who imports it.

    ``keep_secrets`` keeps secrets in the text; otherwise each becomes a variable. Raises
    :class:`~antiphon.errors.ConfigError`, also if the gateway could not use the result.
    """
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        problem = f"cannot be read: {getattr(error, 'strerror', None) or 'it is not UTF-8'}"
        raise ConfigError([Fault(str(path), None, "(file)", problem, "name a YAML or JSON file")]) from None
    document, notes = read_endpoints(text, str(path), keep_secrets=keep_secrets)
    body: str = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=120)
    _check_text(body, f"the import of {path}")
    return f"# Written by `antiphon config import` from {path.name}.\n{body}", notes


def _check_text(text: str, name: str) -> None:
    """Raise the faults for which the gateway would reject ``text``, whatever values its variables have."""
    environ = PlaceholderEnviron("value")
    document = parse_yaml(text, name, environ)
    if not document.faults:
        check(document, environ)
    if document.faults:
        raise ConfigError(document.faults)
