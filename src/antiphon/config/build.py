"""From a checked file to settings, providers and routes. Imported only where a file is read."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from antiphon.catalog.address import parse_address
from antiphon.catalog.kinds import Kind, load_kinds
from antiphon.catalog.local import address_of, placed
from antiphon.catalog.longtail import Tail, row, tail
from antiphon.catalog.prices import config_version, filled
from antiphon.catalog.provider import Provider
from antiphon.catalog.routes import Route, split_target
from antiphon.catalog.settings import Settings
from antiphon.config.account import Credentials, found_credentials, params_of, signing_of
from antiphon.config.checks import check
from antiphon.config.document import Document, dotted, parse
from antiphon.config.identity import identity_of, settings_of
from antiphon.config.schema import ModelBlock, PriceBlock, ProviderBlock, SettingsBlock, TimeoutsBlock
from antiphon.errors import ConfigError, Fault
from antiphon.types import Price, Secret, Strategy, Timeouts


class Built(msgspec.Struct, frozen=True):
    """What a file says, ready for a catalog; ``sources`` gives the place of each value that is not a default."""

    settings: Settings
    providers: dict[str, Provider]
    routes: dict[str, Route]
    sources: dict[str, str]


def build(file: str, environ: Mapping[str, str]) -> Built:
    """Return what ``file`` says; raises :class:`~antiphon.errors.ConfigError` with every fault in it."""
    document = parse(_text(file), file, environ)
    faults = document.faults
    if not faults or document.values:
        checked = check(document, environ)
    if faults:
        raise ConfigError(sorted(faults, key=lambda fault: fault.line or 0))
    assert checked.settings is not None
    settings = _settings(checked.settings)
    providers = {
        name: _provider(name, block, settings.timeouts, document, environ) for name, block in checked.providers.items()
    }
    for kind in load_kinds().values():
        on = kind.always and (not kind.switch or getattr(checked.settings, kind.switch))
        if on and (address := kind.address()) is not None:
            providers.setdefault(kind.name, Provider(kind.name, kind, address, "built in", timeouts=settings.timeouts))
    if faults:
        raise ConfigError(faults)
    routes = {name: _route(name, block) for name, block in checked.models.items()}
    return Built(settings, providers, routes, _sources(document))


def _text(file: str) -> str:
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


def _settings(block: SettingsBlock) -> Settings:
    return Settings(
        **{**block.server.model_dump(), "prefixes": tuple(block.server.prefixes)},
        data=block.data,
        durability=block.durability,
        journal_cap=block.journal_cap,
        on_journal_full=block.on_journal_full,
        timeouts=_timeouts(block.timeouts, Timeouts()),
        ca_file=block.tls.ca_file,
        longtail_workers=block.longtail.workers,
        longtail_in_flight=block.longtail.in_flight,
    )


def _timeouts(block: TimeoutsBlock, base: Timeouts) -> Timeouts:
    return msgspec.structs.replace(base, **block.model_dump(exclude_none=True))


def _provider(
    name: str, block: ProviderBlock, timeouts: Timeouts, document: Document, environ: Mapping[str, str]
) -> Provider:
    path = ("providers", name)
    named = block.kind or name
    through = row(block.via, named)
    kind = through or load_kinds()[named]
    params = params_of(kind, _stated(block, kind.params), environ)
    address = parse_address(block.base_url) if block.base_url and not through else kind.address(params.values)
    assert address is not None
    credentials = _credentials(block, path, kind, params.values, document, environ)
    return Provider(
        name=name,
        kind=kind,
        address=address_of(name, kind.at(address)) if kind.files else kind.at(address, params.values),
        source=_place(document, path),
        credential=credentials.key,
        signing=signing_of(kind, params.values, credentials),
        key_source=credentials.source,
        params=params.values,
        param_sources=params.sources,
        headers=tuple((header.lower(), value) for header, value in block.headers.items()),
        timeouts=_timeouts(block.timeouts, timeouts),
        models=tuple(block.models),
        places=placed(block.models) if isinstance(block.models, dict) else {},
        tail=_tail(through, block),
    )


def _credentials(
    block: ProviderBlock,
    path: tuple[str, str],
    kind: Kind,
    params: Mapping[str, str],
    document: Document,
    environ: Mapping[str, str],
) -> Credentials:
    if block.api_key is not None:
        return Credentials(key=block.api_key, source=_place(document, (*path, "api_key")))
    secrets: dict[str, Secret] = _stated(block, kind.signing.secrets) if kind.signing else {}
    if secrets:
        return Credentials(secrets=secrets, source=_place(document, (*path, next(iter(secrets)))))
    if stated := _stated(block, settings_of(kind)):
        identity = identity_of(kind, params, stated)
        return Credentials(identity=identity, source=_place(document, (*path, next(iter(stated)))))
    # A key is bound to the address it was made for: one from the environment goes to the kind's own only.
    if block.base_url is not None:
        return Credentials()
    return found_credentials(kind, params, environ, document.faults)


def _stated(block: ProviderBlock, names: Iterable[str]) -> dict[str, Any]:
    return {name: value for name in names if (value := getattr(block, name)) is not None}


def _tail(kind: Kind | None, block: ProviderBlock) -> Tail | None:
    if kind is None:
        return None
    return tail(kind, block.via, block.base_url, block.api_version, block.headers, block.params)


def _route(name: str, block: ModelBlock) -> Route:
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
        price=_price(block.price),
    )


def _price(block: PriceBlock | None) -> Price | None:
    if block is None:
        return None
    stated = block.model_dump(exclude_none=True)
    return filled(stated, config_version(stated))


def _place(document: Document, path: tuple[Any, ...]) -> str:
    place = f"{document.file}:{document.line(path)}"
    if names := document.variables.get(path):
        place += f" (environment variable {', '.join(names)})"
    return place


def _sources(document: Document) -> dict[str, str]:
    return {dotted(path): _place(document, path) for path in document.lines if path}
