"""Builds settings, providers and routes from a checked file. Imported only when a file is read."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from antiphon.catalog.address import parse_address
from antiphon.catalog.kinds import Kind, load_kinds
from antiphon.catalog.local import make_address, resolve_folders
from antiphon.catalog.longtail import LongtailAccount, find_kind, make_account
from antiphon.catalog.prices import compute_version, make_price
from antiphon.catalog.provider import Provider
from antiphon.catalog.routes import Route, split_target
from antiphon.catalog.settings import Settings
from antiphon.config.account import Credentials, find_credentials, find_params, make_signing
from antiphon.config.checks import check
from antiphon.config.document import Document, format_path
from antiphon.config.identity import list_identity_settings, make_identity
from antiphon.config.schema import ModelBlock, PriceBlock, ProviderBlock, SettingsBlock, TimeoutsBlock
from antiphon.config.yaml_reader import parse_yaml
from antiphon.errors import ConfigError, Fault
from antiphon.types import Price, Secret, Strategy, Timeouts


class Configuration(msgspec.Struct, frozen=True):
    """The content of a file, ready for a catalog; ``sources`` gives the place of each value that is not a default."""

    settings: Settings
    providers: dict[str, Provider]
    routes: dict[str, Route]
    sources: dict[str, str]


def build(file: str, environ: Mapping[str, str]) -> Configuration:
    """Return the configuration in ``file``; raises :class:`~antiphon.errors.ConfigError` with every fault in it."""
    document = parse_yaml(_read_file(file), file, environ)
    faults = document.faults
    if not faults or document.values:
        checked = check(document, environ)
    if faults:
        raise ConfigError(sorted(faults, key=lambda fault: fault.line or 0))
    assert checked.settings is not None
    settings = _build_settings(checked.settings)
    providers = {
        name: _build_provider(name, block, settings.timeouts, document, environ)
        for name, block in checked.providers.items()
    }
    for kind in load_kinds().values():
        enabled = kind.always and (not kind.switch or getattr(checked.settings, kind.switch))
        if enabled and (address := kind.find_address()) is not None:
            providers.setdefault(kind.name, Provider(kind.name, kind, address, "built in", timeouts=settings.timeouts))
    if faults:
        raise ConfigError(faults)
    routes = {name: _build_route(name, block) for name, block in checked.models.items()}
    return Configuration(settings, providers, routes, _locate_values(document))


def _read_file(file: str) -> str:
    try:
        with Path(file).open("rb") as handle:
            return handle.read(2 * 1024 * 1024).decode("utf-8-sig")
    except OSError as error:
        problem = f"cannot be read: {os.strerror(error.errno or 0)}"
    except UnicodeDecodeError as error:
        problem = f"is not UTF-8 (byte {error.start})"
    except ValueError:
        problem = "is not the name of a file"
    raise ConfigError([Fault(file, None, "(file)", problem, "name another with --config")])


def _build_settings(block: SettingsBlock) -> Settings:
    return Settings(
        **{**block.server.model_dump(), "prefixes": tuple(block.server.prefixes)},
        data=block.data,
        durability=block.durability,
        journal_cap=block.journal_cap,
        on_journal_full=block.on_journal_full,
        timeouts=_build_timeouts(block.timeouts, Timeouts()),
        ca_file=block.tls.ca_file,
        longtail_workers=block.longtail.workers,
        longtail_in_flight=block.longtail.in_flight,
    )


def _build_timeouts(block: TimeoutsBlock, base: Timeouts) -> Timeouts:
    return msgspec.structs.replace(base, **block.model_dump(exclude_none=True))


def _build_provider(
    name: str, block: ProviderBlock, timeouts: Timeouts, document: Document, environ: Mapping[str, str]
) -> Provider:
    path = ("providers", name)
    kind_name = block.kind or name
    longtail_kind = find_kind(block.via, kind_name)
    kind = longtail_kind or load_kinds()[kind_name]
    params = find_params(kind, _collect_stated(block, kind.params), environ)
    own_address = parse_address(block.base_url) if block.base_url and not longtail_kind else None
    address = own_address or kind.find_address(params.values)
    assert address is not None
    credentials = _choose_credentials(block, path, kind, params.values, document, environ)
    prefixed = kind.add_prefix(address, params.values)
    return Provider(
        name=name,
        kind=kind,
        address=make_address(name, prefixed) if kind.local_models else prefixed,
        source=_locate(document, path),
        credential=credentials.key,
        signing=make_signing(kind, params.values, credentials),
        key_source=credentials.source,
        params=params.values,
        param_sources=params.sources,
        headers=tuple((header.lower(), value) for header, value in block.headers.items()),
        timeouts=_build_timeouts(block.timeouts, timeouts),
        models=tuple(block.models),
        model_sources=resolve_folders(block.models) if isinstance(block.models, dict) else {},
        longtail=_build_longtail(longtail_kind, block),
    )


def _choose_credentials(
    block: ProviderBlock,
    path: tuple[str, str],
    kind: Kind,
    params: Mapping[str, str],
    document: Document,
    environ: Mapping[str, str],
) -> Credentials:
    if block.api_key is not None:
        return Credentials(key=block.api_key, source=_locate(document, (*path, "api_key")))
    secrets: dict[str, Secret] = _collect_stated(block, kind.signing.secrets) if kind.signing else {}
    if secrets:
        return Credentials(secrets=secrets, source=_locate(document, (*path, next(iter(secrets)))))
    if stated := _collect_stated(block, list_identity_settings(kind)):
        identity = make_identity(kind, params, stated)
        return Credentials(identity=identity, source=_locate(document, (*path, next(iter(stated)))))
    # A key belongs to the address it was issued for: one from the environment is sent only to the kind's own address.
    if block.base_url is not None:
        return Credentials()
    return find_credentials(kind, params, environ, document.faults)


def _collect_stated(block: ProviderBlock, names: Iterable[str]) -> dict[str, Any]:
    return {name: value for name in names if (value := getattr(block, name)) is not None}


def _build_longtail(kind: Kind | None, block: ProviderBlock) -> LongtailAccount | None:
    if kind is None:
        return None
    return make_account(kind, block.via, block.base_url, block.api_version, block.headers, block.params)


def _build_route(name: str, block: ModelBlock) -> Route:
    weighted = block.strategy == "weighted" or any(target.weight is not None for target in block.targets)
    targets = []
    for target in block.targets:
        split = split_target(target.model)
        assert split is not None
        targets.append((*split, 1 if target.weight is None else target.weight))
    return Route(
        name=name,
        targets=tuple(targets),
        aliases=tuple(block.aliases),
        strategy=Strategy.WEIGHTED if weighted else Strategy.ORDER,
        fallbacks=tuple(block.fallbacks),
        price=_build_price(block.price),
    )


def _build_price(block: PriceBlock | None) -> Price | None:
    if block is None:
        return None
    stated = block.model_dump(exclude_none=True)
    return make_price(stated, compute_version(stated))


def _locate(document: Document, path: tuple[Any, ...]) -> str:
    """Return ``file:line`` of the value at ``path``, with the environment variables in it."""
    place = f"{document.file}:{document.find_line(path)}"
    if names := document.variables.get(path):
        place += f" (environment variable {', '.join(names)})"
    return place


def _locate_values(document: Document) -> dict[str, str]:
    return {format_path(path): _locate(document, path) for path in document.lines if path}
