"""The parameters and credentials of an account, from its configuration or from the usual environment variables."""

from collections.abc import Mapping

import msgspec

from antiphon.catalog.kinds import Kind
from antiphon.config.identity import (
    find_file_problems,
    find_identity_variables,
    find_missing_extra,
    make_identity,
)
from antiphon.errors import Fault
from antiphon.types import Identity, Secret, Signing

ENVIRONMENT = "environment"
"""Takes the place of the file's name in a fault about a variable."""
HEADERS_SCHEME = "headers"
"""The signing scheme of tokens, which are sent as a header that changes with each renewal."""


class Params(msgspec.Struct, frozen=True):
    """The parameters of an account, and the source of each that the configuration does not state."""

    values: dict[str, str]
    sources: dict[str, str]


class Credentials(msgspec.Struct, frozen=True, eq=False):
    """A key, or the secrets that sign requests, or the source of credentials that expire, or nothing.

    ``source`` says where it was found.
    """

    key: Secret | None = None
    secrets: dict[str, Secret] = {}
    identity: Identity | None = None
    source: str = ""


def find_params(kind: Kind, stated: Mapping[str, str], environ: Mapping[str, str]) -> Params:
    """Return the parameters of an account: the stated ones, else the usual variables, else the row's defaults."""
    values, sources = {}, {}
    for name, param in kind.params.items():
        variable = find_variable(environ, param.env)
        if name in stated:
            values[name] = stated[name]
        elif variable is not None:
            values[name], sources[name] = environ[variable], f"environment variable {variable}"
        elif param.default:
            values[name], sources[name] = param.default, "default"
    return Params(values, sources)


def find_credentials(
    kind: Kind, params: Mapping[str, str], environ: Mapping[str, str], faults: list[Fault]
) -> Credentials:
    """Return the credentials in the kind's usual variables, preferring fixed ones; adds a fault for a broken one."""
    variable = find_variable(environ, kind.env)
    if variable is not None:
        return Credentials(key=_read_secret(variable, environ, faults), source=f"environment variable {variable}")
    if variables := _find_secret_variables(kind, environ):
        secrets = {name: _read_secret(variable, environ, faults) for name, variable in variables.items()}
        return Credentials(secrets=secrets, source=_describe_variables(*variables.values()))
    if (names := find_identity_variables(kind, environ)) and not find_missing_extra(kind):
        for name, problem in find_file_problems(kind, environ, names).items():
            faults.append(Fault(ENVIRONMENT, None, name, problem, "correct it or unset it"))
        return Credentials(identity=make_identity(kind, params, {}), source=_describe_variables(*names))
    return Credentials()


def has_credentials(kind: Kind, environ: Mapping[str, str]) -> bool:
    """Say whether the kind's usual variables hold the credentials that its requests need."""
    if find_variable(environ, kind.env) is not None or _find_secret_variables(kind, environ):
        return True
    return bool(find_identity_variables(kind, environ)) and not find_missing_extra(kind)


def make_signing(kind: Kind, params: Mapping[str, str], credentials: Credentials) -> Signing | None:
    """Return how requests are signed with ``credentials``, or ``None`` if they are not signed."""
    secrets, identity = credentials.secrets, credentials.identity
    if not secrets and identity is None:
        return None
    if kind.signing is None:
        return Signing(HEADERS_SCHEME, {}, {}, identity)
    signing_params = {name: text.format_map(params) for name, text in kind.signing.params.items()}
    return Signing(kind.signing.scheme, signing_params, dict(secrets), identity)


def find_variable(environ: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    """Return the first of ``names`` that is set and not empty."""
    return next((name for name in names if environ.get(name)), None)


def _describe_variables(*names: str) -> str:
    return f"environment variable{'s' if len(names) > 1 else ''} {', '.join(names)}"


def _find_secret_variables(kind: Kind, environ: Mapping[str, str]) -> dict[str, str]:
    """Return secret to variable, or none if a required one is missing: the others may belong to another account."""
    if kind.signing is None:
        return {}
    variables = {name: find_variable(environ, names) for name, names in kind.signing.secrets.items()}
    if any(variables[name] is None for name in kind.signing.required):
        return {}
    return {name: variable for name, variable in variables.items() if variable is not None}


def _read_secret(variable: str, environ: Mapping[str, str], faults: list[Fault]) -> Secret:
    value = environ[variable]
    if value != value.strip() or not value.isascii() or not value.isprintable():
        problem = "the secret has spaces or line breaks around it, or characters that are not allowed in a header"
        faults.append(Fault(ENVIRONMENT, None, variable, problem))
    return Secret(value)
