"""Azure: tokens of Entra ID, for an application or for the machine.

With a ``client_secret`` the token belongs to that application. Otherwise azure-identity searches: the variables of an
application or of a federated token, the machine's managed identity, the login of the Azure command line.
"""

import time
from typing import Any

from azure.core.pipeline.policies import RetryMode
from azure.identity import ClientSecretCredential, DefaultAzureCredential

from antiphon.credentials.credential import Credential
from antiphon.types import Identity, Secret

_OPTIONS: dict[str, Any] = {
    # As many of the library's own retries as fit into the time a call waits.
    "retry_total": 2,
    "retry_mode": RetryMode.Fixed,
    "retry_backoff_factor": 0.5,
    # The operator chooses the authority (AZURE_AUTHORITY_HOST); no other authority is asked whether it can be trusted.
    "disable_instance_discovery": True,
}


def fetch(identity: Identity) -> Credential:
    """Return the header of a new token for the identity's ``scope``; raises ``ClientAuthenticationError``.

    ``tenant_id``, ``client_id`` and the secret ``client_secret`` select an application; ``client_id`` alone selects
    one of several managed identities.
    """
    with _make_credential(identity) as credential:
        token = credential.get_token(identity.params["scope"])
    return Credential({"authorization": Secret(f"Bearer {token.token}")}, token.expires_on - time.time())


def _make_credential(identity: Identity) -> Any:
    params = identity.params
    tenant, client = params.get("tenant_id"), params.get("client_id")
    secret = identity.secrets.get("client_secret")
    if secret is not None:
        assert tenant is not None
        assert client is not None
        return ClientSecretCredential(tenant, client, secret.reveal(), **_OPTIONS)
    options = {
        "managed_identity_client_id": client,
        "workload_identity_client_id": client,
        "workload_identity_tenant_id": tenant,
    }
    return DefaultAzureCredential(**{name: value for name, value in options.items() if value}, **_OPTIONS)
