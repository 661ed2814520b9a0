"""Loads a catalog from a file, or from what is detected on this machine and in its environment."""

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from antiphon.catalog.catalog import Catalog
from antiphon.catalog.settings import Settings
from antiphon.errors import ConfigError, Fault

DEFAULT_FILE = "antiphon.yaml"


def load_config(
    path: str | None = None,
    environ: Mapping[str, str] | None = None,
    data: str | None = None,
    *,
    probes: Mapping[str, int] | None = None,
) -> Catalog:
    """Return the catalog of the file ``path``, of ``antiphon.yaml`` if there is one, or of what is detected.

    Detection reads the usual environment variables and tries the ports in ``probes`` (kind to port on 127.0.0.1;
    default: those of the rows, ``{}`` for none) for at most 50 ms. ``data`` replaces the data directory. Raises
    :class:`~antiphon.errors.ConfigError` with every fault found.
    """
    environ = os.environ if environ is None else environ
    if path is None and Path(DEFAULT_FILE).is_file():
        path = DEFAULT_FILE
    catalog = _detect_providers(environ, probes) if path is None else _load_file(path, environ)
    if data is None:
        return catalog
    if not data:
        raise ConfigError([Fault("command line", None, "data", "is empty", "name a directory")])
    settings = msgspec.structs.replace(catalog.settings, data=data)
    sources = catalog.sources | {"data": "command line"}
    return Catalog(settings, catalog.providers, catalog.routes, sources=sources, file=catalog.file)


def _load_file(path: str, environ: Mapping[str, str]) -> Catalog:
    # Only a file needs pydantic and PyYAML.
    from antiphon.config.build import build

    configuration = build(path, environ)
    return Catalog(
        configuration.settings,
        configuration.providers,
        configuration.routes,
        sources=configuration.sources,
        file=path,
    )


def _detect_providers(environ: Mapping[str, str], probes: Mapping[str, int] | None) -> Catalog:
    from antiphon.config.detect import detect, list_probes

    faults: list[Fault] = []
    providers = detect(environ, list_probes() if probes is None else probes, faults)
    if faults:
        raise ConfigError(faults)
    return Catalog(Settings(), providers)
