"""AWS: botocore's chain of credentials: variables, profiles, single sign-on, assumed roles, containers, instances.

Only the credentials are taken from it; requests are signed by ``wires.aws``.
"""

from datetime import UTC, datetime
from typing import Any

from botocore.credentials import RefreshableCredentials
from botocore.session import Session

from antiphon.credentials.fetched import Fetched
from antiphon.types import Identity, Secret


def fetch(identity: Identity) -> Fetched:
    """Return access key, secret key and session token (if any), of the ``profile`` that the identity names, if any.

    Raises ``BotoCoreError`` or ``ClientError``, and ``LookupError`` where the chain ends without credentials.
    """
    params = identity.params
    session = Session(profile=params.get("profile"))
    # Where roles are assumed, unless the profile says another.
    if session.get_config_variable("region") is None:
        session.set_config_variable("region", params["region"])
    if session.get_scoped_config().get("mfa_serial"):
        raise LookupError("the profile wants the code of a device (mfa_serial), which nobody can type here")
    credentials = session.get_credentials()
    if credentials is None:
        raise LookupError("nothing in the chain of credentials has any")
    frozen = credentials.get_frozen_credentials()
    given = {"access_key": frozen.access_key, "secret_key": frozen.secret_key, "session_token": frozen.token}
    return Fetched({name: Secret(value) for name, value in given.items() if value}, _left(credentials))


def _left(credentials: Any) -> float | None:
    """Return the seconds that temporary credentials hold; long-lived keys have no such end."""
    if not isinstance(credentials, RefreshableCredentials):
        return None
    # The end has no public name; were this one gone, an error is better than credentials that seem to have no end.
    left: float = (credentials._expiry_time - datetime.now(UTC)).total_seconds()
    return left
