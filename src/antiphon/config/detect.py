"""Detects providers without a file, from the usual environment variables and from servers on this machine."""

import re
import select
import socket
import time
from collections.abc import Mapping
from contextlib import ExitStack

from antiphon.catalog.address import SCHEMES, Address, parse_address
from antiphon.catalog.kinds import Kind, load_kinds
from antiphon.catalog.provider import Provider
from antiphon.config.account import (
    ENVIRONMENT,
    Params,
    find_credentials,
    find_params,
    find_variable,
    has_credentials,
    make_signing,
)
from antiphon.errors import Fault

PROBE_SECONDS = 0.05

_REACHABLE = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "[::]": "[::1]"}
"""The host under which a server can be reached that listens on every address."""


def list_probes() -> dict[str, int]:
    """Return the default ports of local servers, by kind."""
    return {kind.name: kind.probe for kind in load_kinds().values() if kind.probe}


def find_listening(probes: Mapping[str, int], seconds: float = PROBE_SECONDS) -> frozenset[str]:
    """Return the kinds whose port on 127.0.0.1 accepts a connection within ``seconds``; all ports are tried at once."""
    listening = set()
    with ExitStack() as stack:
        poll = select.poll()
        waiting: dict[int, tuple[str, socket.socket]] = {}
        for kind, port in probes.items():
            probe = stack.enter_context(socket.socket())
            probe.setblocking(False)
            probe.connect_ex(("127.0.0.1", port))
            waiting[probe.fileno()] = (kind, probe)
            poll.register(probe, select.POLLOUT)
        deadline = time.monotonic() + seconds
        while waiting and (left := deadline - time.monotonic()) > 0:
            for descriptor, _ in poll.poll(left * 1000):
                kind, probe = waiting.pop(descriptor)
                poll.unregister(descriptor)
                if probe.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0:
                    listening.add(kind)
    return frozenset(listening)


def detect(environ: Mapping[str, str], probes: Mapping[str, int], faults: list[Fault]) -> dict[str, Provider]:
    """Return the detected providers, in the order of the rows; adds a fault for each variable that cannot be used."""
    providers = {}
    without_address = {
        kind: port for kind, port in probes.items() if not find_variable(environ, load_kinds()[kind].base_url_env)
    }
    listening = find_listening(without_address)
    for kind in load_kinds().values():
        if not kind.detect:
            continue
        provider = _detect_kind(kind, environ, probes.get(kind.name, 0) if kind.name in listening else 0, faults)
        if provider is not None:
            providers[provider.name] = provider
    return providers


def _detect_kind(kind: Kind, environ: Mapping[str, str], port: int, faults: list[Fault]) -> Provider | None:
    address_variable = find_variable(environ, kind.base_url_env)
    if not (has_credentials(kind, environ) if kind.key == "required" else kind.always or port or address_variable):
        return None
    params = find_params(kind, {}, environ)
    address = kind.find_address(params.values)
    if address_variable is not None:
        address = _parse_variable(kind, address, environ[address_variable], address_variable, faults)
    elif port:
        address = parse_address(f"http://127.0.0.1:{port}")
    if not _is_complete(kind, params, address if address_variable else None, faults) or not address:
        return None
    credentials = find_credentials(kind, params.values, environ, faults)
    source = credentials.source or (f"environment variable {address_variable}" if address_variable else "")
    return Provider(
        name=kind.name,
        kind=kind,
        address=kind.add_prefix(address, params.values),
        source=source or (f"listening on 127.0.0.1:{port}" if port else "built in"),
        credential=credentials.key,
        signing=make_signing(kind, params.values, credentials),
        key_source=credentials.source,
        params=params.values,
        param_sources=params.sources,
    )


def _is_complete(kind: Kind, params: Params, address: Address | None, faults: list[Fault]) -> bool:
    """Say whether an account has every parameter it needs; a variable with an invalid value is a fault."""
    for name, value in params.values.items():
        if problem := kind.find_problem(name, value):
            variable = params.sources[name].removeprefix("environment variable ")
            faults.append(Fault(ENVIRONMENT, None, variable, problem, "correct it or unset it"))
            return False
    return kind.list_required_params(address) <= params.values.keys()


def _parse_variable(kind: Kind, own: Address | None, value: str, name: str, faults: list[Fault]) -> Address | None:
    """Parse the address in a variable, which may be a server's listen address: ``0.0.0.0``, ``:1234``."""
    text = value
    if "://" not in value:
        # The port follows the last colon, unless that colon is part of an IPv6 address.
        host, _, port = value.rpartition(":") if re.search(r":[0-9]*$", value) else (value, "", "")
        # A server that needs a key is on the network, where a key must not be sent in the clear.
        scheme = "https" if kind.key == "required" else "http"
        default = own.origin.port if own else SCHEMES[scheme]
        text = f"{scheme}://{_REACHABLE.get(host, host)}:{port or default}"
    try:
        return parse_address(text)
    except ValueError as error:
        faults.append(Fault(ENVIRONMENT, None, name, f"the address {error}", "correct it or unset it"))
        return None
