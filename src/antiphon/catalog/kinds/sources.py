"""Where credentials that expire come from: what each source needs, may be told and is recognised by.

A row names one (``identity``); ``antiphon.credentials`` asks it. Everything here can be said without its library.
"""

from collections.abc import Mapping
from importlib.util import find_spec

import msgspec


class Source(msgspec.Struct, frozen=True):
    """One source; a setting is a key of an account, a word of ``kinds/words.py``."""

    title: str
    """What it is, for pages and messages."""
    extra: str
    """What installs its library: ``pip install 'antiphon[<extra>]'``."""
    modules: tuple[str, ...]
    """What is then there."""
    env: tuple[tuple[str, ...], ...]
    """Variables that mean it, each group of which is enough."""
    settings: tuple[str, ...]
    """What an account may say; any of them means this source."""
    needs: Mapping[str, tuple[str, ...]]
    """What a setting does not go without."""
    files: Mapping[str, str]
    """Settings that name a file of credentials (JSON with a ``type``), each with the variable that does."""
    advice: str
    """What to do where it gives none."""


SOURCES: Mapping[str, Source] = {
    "google": Source(
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
    "azure": Source(
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
        advice="Give the machine an identity, export AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET, or log"
        " in with `az login`.",
    ),
    "aws": Source(
        title="AWS's chain of credentials",
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


def missing(source: Source) -> str:
    """Return the command that installs what ``source`` needs, or nothing where it is there; imports nothing of it."""
    return "" if all(map(_present, source.modules)) else f"pip install 'antiphon[{source.extra}]'"


def _present(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # not even the package it is in
        return False
