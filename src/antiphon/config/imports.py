"""Other programs' configurations, written as ours."""

from pathlib import Path

import yaml

from antiphon.config.checks import check
from antiphon.config.document import parse
from antiphon.config.endpoints import Standing, read_endpoints
from antiphon.errors import ConfigError, Fault


def import_file(path: Path, *, keep_secrets: bool) -> tuple[str, tuple[str, ...]]:
    """Return the text of an ``antiphon.yaml`` for a file of endpoint blocks, and notes for whoever imports it.

    With ``keep_secrets`` they stay written out; otherwise a variable takes the place of each. Raises
    :class:`~antiphon.errors.ConfigError`, also where what came of the file could not be used.
    """
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        problem = f"cannot be read: {getattr(error, 'strerror', None) or 'it is not UTF-8'}"
        raise ConfigError([Fault(str(path), None, "(file)", problem, "name a YAML or JSON file")]) from None
    document, notes = read_endpoints(text, str(path), keep_secrets=keep_secrets)
    body: str = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=120)
    _try(body, f"what came of {path}")
    return f"# Written by `antiphon config import` from {path.name}.\n{body}", notes


def _try(text: str, name: str) -> None:
    """Raise where the gateway would refuse it, whatever its variables hold."""
    environ = Standing("value")
    document = parse(text, name, environ)
    if not document.faults:
        check(document, environ)
    if document.faults:
        raise ConfigError(document.faults)
