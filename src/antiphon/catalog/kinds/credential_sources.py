"""Sources of credentials that expire: what each needs, which settings it takes, and how it is recognized.

A row names one (``identity``), and ``antiphon.credentials`` fetches from it. Nothing here needs the source's library.
"""

from collections.abc import Mapping
from importlib.util import find_spec

import msgspec


class CredentialSource(msgspec.Struct, frozen=True):
    """One source; a setting is a key of an account, from ``kinds/vocabulary.py``."""

    title: str
    """Its name in pages and messages."""
    extra: str
    """The extra that installs its library: ``pip install 'antiphon[<extra>]'``."""
    modules: tuple[str, ...]
    """The modules of that library."""
    env: tuple[tuple[str, ...], ...]
    """Groups of environment variables; each group on its own selects this source."""
    settings: tuple[str, ...]
    """The settings of an account that select this source."""
    needs: Mapping[str, tuple[str, ...]]
    """Setting to the other settings that it requires."""
    files: Mapping[str, str]
    """Settings that name a file of credentials (JSON with a ``type``), each with the variable that does the same."""
    advice: str
    """What to do if the source has no credentials."""


CREDENTIAL_SOURCES: Mapping[str, CredentialSource] = {
    "google": CredentialSource(
        title="Google's application default credentials",
        extra="google",
        modules=("google.auth", "requests"),
        env=(("GOOGLE_APPLICATION_CREDENTIALS",),),
        settings=("credentials", "credentials_file", "scope"),
        needs={},
        files={"credentials_file": "GOOGLE_APPLICATION_CREDENTIALS"},
        advice="Name a service account's file with `credentials_file` or GOOGLE_APPLICATION_CREDENTIALS, or log in with"
        " `gcloud auth application-default login`.",
    ),
    "azure": CredentialSource(
        title="Microsoft Entra ID",
        extra="azure",
        modules=("azure.identity",),
        env=(
            ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"),
            ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_FEDERATED_TOKEN_FILE"),
        ),
        settings=("credentials", "tenant_id", "client_id", "client_secret", "scope"),
        needs={"client_secret": ("tenant_id", "client_id")},
        files={},
        advice="Assign a managed identity to the machine, export AZURE_TENANT_ID, AZURE_CLIENT_ID and"
        " AZURE_CLIENT_SECRET, or log in with `az login`.",
    ),
    "aws": CredentialSource(
        title="AWS's credential chain",
        extra="aws",
        modules=("botocore",),
        env=(
            ("AWS_PROFILE",),
            ("AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE"),
            ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",),
            ("AWS_CONTAINER_CREDENTIALS_FULL_URI",),
        ),
        settings=("credentials", "profile"),
        needs={},
        files={},
        advice="Check `aws sts get-caller-identity` with the same profile; for single sign-on run `aws sso login`.",
    ),
}


def find_install_command(source: CredentialSource) -> str:
    """Return the command that installs the library of ``source``, or ``""`` if it is installed; imports none of it."""
    return "" if all(map(_is_importable, source.modules)) else f"pip install 'antiphon[{source.extra}]'"


def _is_importable(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # the package that would contain it is missing too
        return False
