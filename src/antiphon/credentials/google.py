"""Google: application default credentials, found in the same order as by Google's own programs.

The order: the file named by ``GOOGLE_APPLICATION_CREDENTIALS`` (a service account's key, an authorized user, workload
identity federation, impersonation), gcloud's own login, and the metadata server of the machine. Source:
https://google.aip.dev/auth/4110.
"""

import os
import warnings
from datetime import UTC, datetime
from typing import Any

import google.auth
import requests
from google.auth.credentials import with_scopes_if_required
from google.auth.environment_vars import CREDENTIALS
from google.auth.transport.requests import Request

from antiphon.credentials.credential import Credential
from antiphon.types import Identity, Secret


def fetch(identity: Identity) -> Credential:
    """Return the headers of a new access token for the identity's ``scope``; ``credentials_file`` names its file.

    The headers are the token and, for some accounts, the project that is billed (``x-goog-user-project``). Raises
    ``GoogleAuthError``.
    """
    scopes = [identity.params["scope"]]
    with requests.Session() as session:
        request = Request(session)
        credentials = _load_credentials(identity.params.get("credentials_file") or os.environ.get(CREDENTIALS), request)
        add_scopes: Any = with_scopes_if_required
        credentials = add_scopes(credentials, scopes)
        credentials.refresh(request)
    headers: dict[str, str] = {}
    credentials.apply(headers)
    left = None if credentials.expiry is None else credentials.expiry.replace(tzinfo=UTC) - datetime.now(UTC)
    secrets = {name.lower(): Secret(value) for name, value in headers.items()}
    return Credential(secrets, None if left is None else left.total_seconds())


def _load_credentials(file: str | None, request: Request) -> Any:
    """Load credentials without a scope: with one, google-auth asks a workload's identity for its project's name."""
    if not file:
        return google.auth.default(request=request)[0]
    load: Any = google.auth.load_credentials_from_file
    with warnings.catch_warnings():
        # The function is deprecated for files of unknown origin; this one is named by the gateway's operator.
        warnings.simplefilter("ignore", DeprecationWarning)
        return load(file, request=request)[0]
