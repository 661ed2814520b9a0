"""Providers without a file: from the usual environment variables, and from servers on this machine."""

import re
import select
import socket
import time
from collections.abc import Mapping
from contextlib import ExitStack

from antiphon.catalog.address import SCHEMES, Address, parse_address
from antiphon.catalog.kinds import Kind, load_kinds
from antiphon.catalog.provider import Provider
from antiphon.config.account import ENVIRONMENT, first, found_credentials, has_credentials, params_of, signing_of
from antiphon.errors import Fault

PROBE_SECONDS = 0.05

_REACHABLE = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "[::]": "[::1]"}
"""Where a server that listens on every address can be reached."""


def default_probes() -> dict[str, int]:
    """Return the ports that local servers listen on by default, by kind."""
    return {kind.name: kind.probe for kind in load_kinds().values() if kind.probe}


def listening(probes: Mapping[str, int], seconds: float = PROBE_SECONDS) -> frozenset[str]:
    """Return the kinds whose port on 127.0.0.1 takes a connection within ``seconds``, all tried at once."""
    found = set()
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
                    found.add(kind)
    return frozenset(found)


def detect(environ: Mapping[str, str], probes: Mapping[str, int], faults: list[Fault]) -> dict[str, Provider]:
    """Return the providers found, in the order of the rows; adds a fault for each variable that cannot be used."""
    found = {}
    wanted = {kind: port for kind, port in probes.items() if not first(environ, load_kinds()[kind].base_url_env)}
    here = listening(wanted)
    for kind in load_kinds().values():
        if not kind.detect:
            continue
        provider = _detected(kind, environ, probes.get(kind.name, 0) if kind.name in here else 0, faults)
        if provider is not None:
            found[provider.name] = provider
    return found


def _detected(kind: Kind, environ: Mapping[str, str], port: int, faults: list[Fault]) -> Provider | None:
    address_name = first(environ, kind.base_url_env)
    if not (has_credentials(kind, environ) if kind.key == "required" else kind.always or port or address_name):
        return None
    params = params_of(kind, {}, environ)
    address = kind.address(params.values)
    if address_name is not None:
        address = _address(kind, address, environ[address_name], address_name, faults)
    elif port:
        address = parse_address(f"http://127.0.0.1:{port}")
    if not _complete(kind, params.values, address if address_name else None, params.sources, faults) or not address:
        return None
    credentials = found_credentials(kind, params.values, environ, faults)
    source = credentials.source or (f"environment variable {address_name}" if address_name else "")
    return Provider(
        name=kind.name,
        kind=kind,
        address=kind.at(address, params.values),
        source=source or (f"listening on 127.0.0.1:{port}" if port else "built in"),
        credential=credentials.key,
        signing=signing_of(kind, params.values, credentials),
        key_source=credentials.source,
        params=params.values,
        param_sources=params.sources,
    )


def _complete(
    kind: Kind, params: Mapping[str, str], address: Address | None, sources: Mapping[str, str], faults: list[Fault]
) -> bool:
    """Say whether an account has all it needs; a variable with a value that cannot be used is a fault."""
    for name, value in params.items():
        if problem := kind.problem(name, value):
            variable = sources[name].removeprefix("environment variable ")
            faults.append(Fault(ENVIRONMENT, None, variable, problem, "correct it or unset it"))
            return False
    return kind.needs(address) <= params.keys()


def _address(kind: Kind, own: Address | None, value: str, name: str, faults: list[Fault]) -> Address | None:
    """Read an address as its variable has it, which may be what a server listens on: ``0.0.0.0``, ``:1234``."""
    text = value
    if "://" not in value:
        # A port is what stands behind the last colon, unless that colon is part of an IPv6 address.
        host, _, port = value.rpartition(":") if re.search(r":[0-9]*$", value) else (value, "", "")
        # What needs a key is on the network, where a key is not sent in the clear.
        scheme = "https" if kind.key == "required" else "http"
        default = own.origin.port if own else SCHEMES[scheme]
        text = f"{scheme}://{_REACHABLE.get(host, host)}:{port or default}"
    try:
        return parse_address(text)
    except ValueError as error:
        faults.append(Fault(ENVIRONMENT, None, name, f"the address {error}", "correct it or unset it"))
        return None
