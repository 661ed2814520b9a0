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
from antiphon.errors import Fault
from antiphon.types import Secret

PROBE_SECONDS = 0.05

_REACHABLE = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "[::]": "[::1]"}
"""Where a server that listens on every address can be reached."""

ENVIRONMENT = "environment"
"""What stands in a fault where the name of a file would be."""


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
    wanted = {kind: port for kind, port in probes.items() if not _first(environ, load_kinds()[kind].base_url_env)}
    here = listening(wanted)
    for kind in load_kinds().values():
        provider = _detected(kind, environ, probes.get(kind.name, 0) if kind.name in here else 0, faults)
        if provider is not None:
            found[provider.name] = provider
    return found


def key_from(kind: Kind, environ: Mapping[str, str], faults: list[Fault]) -> tuple[Secret | None, str]:
    """Return the credential in the kind's usual variables and the variable's name; a broken one is a fault."""
    name = _first(environ, kind.env)
    if name is None:
        return None, ""
    value = environ[name]
    if value != value.strip() or not value.isascii() or not value.isprintable():
        problem = "the secret has spaces or line breaks around it, or characters that no header can carry"
        faults.append(Fault(ENVIRONMENT, None, name, problem))
    return Secret(value), name


def _detected(kind: Kind, environ: Mapping[str, str], port: int, faults: list[Fault]) -> Provider | None:
    credential, key_name = key_from(kind, environ, faults)
    address_name = _first(environ, kind.base_url_env)
    address = kind.address
    if address_name is not None:
        address = _address(kind, address_name, environ[address_name], faults)
    found = credential is not None if kind.key == "required" else kind.always or port or address_name
    if address is None or not found:
        return None
    if port and not address_name:
        address = parse_address(f"http://127.0.0.1:{port}")
    version_name = _first(environ, kind.api_version_env)
    variable = f"environment variable {key_name or address_name}"
    return Provider(
        name=kind.name,
        kind=kind,
        address=kind.at(address),
        source=variable if key_name or address_name else f"listening on 127.0.0.1:{port}" if port else "built in",
        credential=credential,
        key_source=f"environment variable {key_name}" if key_name else "",
        api_version=environ[version_name] if version_name else kind.api_version,
    )


def _address(kind: Kind, name: str, value: str, faults: list[Fault]) -> Address | None:
    """Read an address as its variable has it, which may be what a server listens on: ``0.0.0.0``, ``:1234``."""
    text = value
    if "://" not in value:
        # A port is what stands behind the last colon, unless that colon is part of an IPv6 address.
        host, _, port = value.rpartition(":") if re.search(r":[0-9]*$", value) else (value, "", "")
        default = kind.address.origin.port if kind.address else SCHEMES["http"]
        text = f"http://{_REACHABLE.get(host, host)}:{port or default}"
    try:
        return parse_address(text)
    except ValueError as error:
        faults.append(Fault(ENVIRONMENT, None, name, f"the address {error}", "correct it or unset it"))
        return None


def _first(environ: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    """Return the first of ``names`` that is set and not empty."""
    return next((name for name in names if environ.get(name)), None)
