"""Azure: tokens of Entra ID, for an application or for the machine.

With a ``client_secret`` it is that application's. Otherwise what azure-identity finds: the variables of an application
or of a federated token, the managed identity of the machine, the login of the command line.
"""

import time
from typing import Any

from azure.core.pipeline.policies import RetryMode
from azure.identity import ClientSecretCredential, DefaultAzureCredential

from antiphon.credentials.fetched import Fetched
from antiphon.types import Identity, Secret

_OPTIONS: dict[str, Any] = {
    # Of the library's own retries as many as fit into a call's patience.
    "retry_total": 2,
    "retry_mode": RetryMode.Fixed,
    "retry_backoff_factor": 0.5,
    # The authority is the operator's (AZURE_AUTHORITY_HOST); no other one is asked whether it may be trusted.
    "disable_instance_discovery": True,
}


def fetch(identity: Identity) -> Fetched:
    """Return the header of a new token for the identity's ``scope``; raises ``ClientAuthenticationError``.

    ``tenant_id``, ``client_id`` and the secret ``client_secret`` say which application it is; ``client_id`` alone
    which of several managed identities.
    """
    with _credential(identity) as credential:
        token = credential.get_token(identity.params["scope"])
    return Fetched({"authorization": Secret(f"Bearer {token.token}")}, token.expires_on - time.time())


def _credential(identity: Identity) -> Any:
    params = identity.params
    tenant, client = params.get("tenant_id"), params.get("client_id")
    secret = identity.secrets.get("client_secret")
    if secret is not None:
        assert tenant is not None
        assert client is not None
        return ClientSecretCredential(tenant, client, secret.reveal(), **_OPTIONS)
    named = {
        "managed_identity_client_id": client,
        "workload_identity_client_id": client,
        "workload_identity_tenant_id": tenant,
    }
    return DefaultAzureCredential(**{name: value for name, value in named.items() if value}, **_OPTIONS)
