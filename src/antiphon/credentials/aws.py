"""AWS: botocore's credential chain: variables, profiles, single sign-on, assumed roles, containers, instances.

botocore supplies the credentials only; ``wires.aws`` signs the requests.
"""

from datetime import UTC, datetime
from typing import Any

from botocore.credentials import RefreshableCredentials
from botocore.session import Session

from antiphon.credentials.credential import Credential
from antiphon.types import Identity, Secret


def fetch(identity: Identity) -> Credential:
    """Return access key, secret key and session token (if any) of the identity's ``profile``, or of the chain.

    Raises ``BotoCoreError`` or ``ClientError``, and ``LookupError`` if the chain ends without credentials.
    """
    params = identity.params
    session = Session(profile=params.get("profile"))
    # The region in which roles are assumed, unless the profile names another.
    if session.get_config_variable("region") is None:
        session.set_config_variable("region", params["region"])
    if session.get_scoped_config().get("mfa_serial"):
        raise LookupError("the profile needs the code of an MFA device (mfa_serial), which nobody can enter here")
    credentials = session.get_credentials()
    if credentials is None:
        raise LookupError("no source in the credential chain has any")
    frozen = credentials.get_frozen_credentials()
    values = {"access_key": frozen.access_key, "secret_key": frozen.secret_key, "session_token": frozen.token}
    secrets = {name: Secret(value) for name, value in values.items() if value}
    return Credential(secrets, _compute_seconds_left(credentials))


def _compute_seconds_left(credentials: Any) -> float | None:
    """Return how long temporary credentials are still valid; ``None`` for long-lived keys."""
    if not isinstance(credentials, RefreshableCredentials):
        return None
    # The expiry has no public name. If it disappears, an error is better than credentials that seem to never expire.
    left: float = (credentials._expiry_time - datetime.now(UTC)).total_seconds()
    return left
