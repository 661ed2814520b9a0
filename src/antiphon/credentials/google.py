"""Google: application default credentials, as every program of theirs finds them.

In this order: the file that ``GOOGLE_APPLICATION_CREDENTIALS`` names (a service account's key, an authorized user,
workload identity federation, impersonation), gcloud's own login, and the metadata server of the machine. Source:
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

from antiphon.credentials.fetched import Fetched
from antiphon.types import Identity, Secret


def fetch(identity: Identity) -> Fetched:
    """Return the headers of a new access token for the identity's ``scope``; ``credentials_file`` names its file.

    Beside the token that may be the project which pays (``x-goog-user-project``). Raises ``GoogleAuthError``.
    """
    scopes = [identity.params["scope"]]
    with requests.Session() as session:
        request = Request(session)
        credentials = _credentials(identity.params.get("credentials_file") or os.environ.get(CREDENTIALS), request)
        scoped: Any = with_scopes_if_required
        credentials = scoped(credentials, scopes)
        credentials.refresh(request)
    headers: dict[str, str] = {}
    credentials.apply(headers)
    left = None if credentials.expiry is None else credentials.expiry.replace(tzinfo=UTC) - datetime.now(UTC)
    secrets = {name.lower(): Secret(value) for name, value in headers.items()}
    return Fetched(secrets, None if left is None else left.total_seconds())


def _credentials(file: str | None, request: Request) -> Any:
    """Find credentials, without a scope: with one, those of a workload would be asked for the name of its project."""
    if not file:
        return google.auth.default(request=request)[0]
    load: Any = google.auth.load_credentials_from_file
    with warnings.catch_warnings():
        # Deprecated for files of unknown origin; this one is named by whoever configures the gateway.
        warnings.simplefilter("ignore", DeprecationWarning)
        return load(file, request=request)[0]
