"""What an account consists of beside its address: parameters and credentials, as stated or from the usual variables."""

from collections.abc import Mapping

import msgspec

from antiphon.catalog.kinds import Kind
from antiphon.config.identity import file_problems, identity_of, lacking, variables_of
from antiphon.errors import Fault
from antiphon.types import Identity, Secret, Signing

ENVIRONMENT = "environment"
"""What stands in a fault where the name of a file would be."""
IN_HEADERS = "headers"
"""The scheme of signing where the credential is a token: it is a header, and what it is changes."""


class Params(msgspec.Struct, frozen=True):
    """The parameters of an account, and where each was found."""

    values: dict[str, str]
    sources: dict[str, str]


class Credentials(msgspec.Struct, frozen=True, eq=False):
    """A key, or the secrets that sign requests, or where credentials that expire are had, or nothing.

    ``source`` says where it was found.
    """

    key: Secret | None = None
    secrets: dict[str, Secret] = {}
    identity: Identity | None = None
    source: str = ""


def params_of(kind: Kind, stated: Mapping[str, str], environ: Mapping[str, str]) -> Params:
    """Return the parameters of an account: what is stated, else the usual variables, else the row's default."""
    values, sources = {}, {}
    for name, param in kind.params.items():
        variable = first(environ, param.env)
        if name in stated:
            values[name] = stated[name]
        elif variable is not None:
            values[name], sources[name] = environ[variable], f"environment variable {variable}"
        elif param.default:
            values[name], sources[name] = param.default, "default"
    return Params(values, sources)


def found_credentials(
    kind: Kind, params: Mapping[str, str], environ: Mapping[str, str], faults: list[Fault]
) -> Credentials:
    """Return what the kind's usual variables hold, what stays before what expires; a broken one is a fault."""
    variable = first(environ, kind.env)
    if variable is not None:
        return Credentials(key=_secret(variable, environ, faults), source=f"environment variable {variable}")
    names = _secret_variables(kind, environ)
    if names:
        secrets = {name: _secret(each, environ, faults) for name, each in names.items()}
        return Credentials(secrets=secrets, source=_variables(*names.values()))
    if (variables := variables_of(kind, environ)) and not lacking(kind):
        for name, problem in file_problems(kind, environ, variables).items():
            faults.append(Fault(ENVIRONMENT, None, name, problem, "correct it or unset it"))
        return Credentials(identity=identity_of(kind, params, {}), source=_variables(*variables))
    return Credentials()


def has_credentials(kind: Kind, environ: Mapping[str, str]) -> bool:
    """Say whether the kind's usual variables hold what its requests need."""
    if first(environ, kind.env) is not None or _secret_variables(kind, environ):
        return True
    return bool(variables_of(kind, environ)) and not lacking(kind)


def signing_of(kind: Kind, params: Mapping[str, str], credentials: Credentials) -> Signing | None:
    """Return how requests are signed with ``credentials``, or ``None`` where they are not."""
    secrets, identity = credentials.secrets, credentials.identity
    if not secrets and identity is None:
        return None
    if kind.signing is None:
        return Signing(IN_HEADERS, {}, {}, identity)
    filled = {name: text.format_map(params) for name, text in kind.signing.params.items()}
    return Signing(kind.signing.scheme, filled, dict(secrets), identity)


def first(environ: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    """Return the first of ``names`` that is set and not empty."""
    return next((name for name in names if environ.get(name)), None)


def _variables(*names: str) -> str:
    return f"environment variable{'s' if len(names) > 1 else ''} {', '.join(names)}"


def _secret_variables(kind: Kind, environ: Mapping[str, str]) -> dict[str, str]:
    """Return secret to variable, all of one place or none: half a credential is another account's."""
    if kind.signing is None:
        return {}
    found = {name: first(environ, variables) for name, variables in kind.signing.secrets.items()}
    if any(found[name] is None for name in kind.signing.required):
        return {}
    return {name: variable for name, variable in found.items() if variable is not None}


def _secret(variable: str, environ: Mapping[str, str], faults: list[Fault]) -> Secret:
    value = environ[variable]
    if value != value.strip() or not value.isascii() or not value.isprintable():
        problem = "the secret has spaces or line breaks around it, or characters that no header can carry"
        faults.append(Fault(ENVIRONMENT, None, variable, problem))
    return Secret(value)
