"""Which backend a client's arguments ask for."""

from antiphon.client.backend import Backend

DEFAULT_TIMEOUT = 600.0
"""Seconds for a whole answer of a server, and of silence within a stream, where a client does not say."""


def choose_backend(
    *, config: str | None, data: str | None, base_url: str | None, api_key: str | None, timeout: float | None
) -> Backend:
    """Return the backend; raises ``TypeError`` for arguments of both kinds, ``ConfigError`` for a faulty file."""
    if base_url is None:
        _refuse("without base_url calls run in this process", api_key=api_key, timeout=timeout)
        from antiphon.client.local import Local

        return Local(config, data)
    _refuse("with base_url the server has the configuration", config=config, data=data)
    from antiphon.client.remote import Remote

    return Remote(base_url, api_key, DEFAULT_TIMEOUT if timeout is None else timeout)


def _refuse(why: str, **arguments: object) -> None:
    given = [name for name, value in arguments.items() if value is not None]
    if given:
        raise TypeError(f"{' and '.join(given)} cannot be used here: {why}")
