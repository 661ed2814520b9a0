"""What is added to a request whose target wants more than a fixed header: a signature, or a token that is renewed."""

from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import Any, Protocol

from msgspec import structs

from antiphon.clock import read_time_us
from antiphon.credentials import CredentialCache, make_fetcher
from antiphon.transport import Request
from antiphon.types import Secret, Signing, Target

SIGNERS = {
    "sigv4": "antiphon.wires.aws.sigv4:make_signer",
    "headers": "antiphon.engine.signing:Headers",
}
"""Signing scheme to what makes a signer out of a target's :class:`~antiphon.types.Signing`."""
REJECTIONS = {"sigv4": frozenset((401, 403)), "headers": frozenset((401,))}
"""How a provider says that it does not take a credential, by scheme; AWS says 403 of one that has ended."""


class Signer(Protocol):
    """Signs requests of one provider."""

    def sign(
        self, method: str, path: str, query: str, headers: Iterable[tuple[str, str]], body: bytes, now: float
    ) -> list[tuple[str, str]]:
        """Return the headers to add; ``now`` is seconds since the epoch."""


class Headers:
    """Adds headers that are credentials as a whole; those that a request has already are left as they are."""

    def __init__(self, signing: Signing) -> None:
        self._headers = [(name, secret.reveal()) for name, secret in signing.secrets.items()]

    def __repr__(self) -> str:
        return "Headers(…)"

    def sign(
        self, method: str, path: str, query: str, headers: Iterable[tuple[str, str]], body: bytes, now: float
    ) -> list[tuple[str, str]]:
        """See :meth:`Signer.sign`."""
        given = {name for name, _ in headers}
        return [pair for pair in self._headers if pair[0] not in given]


class Signers:
    """The signers of a gateway's providers; those whose secrets expire are made anew with each renewal."""

    def __init__(self) -> None:
        self._fixed: dict[Signing, Signer] = {}
        self._kept: dict[Signing, CredentialCache[Signer]] = {}

    async def sign(self, target: Target, request: Request) -> Request:
        """Return ``request`` with what its target wants added; waits only where a credential is not there yet.

        Raises :class:`~antiphon.errors.NoCredential`.
        """
        signing = target.signing
        assert signing is not None
        if signing.identity is None:
            signer = self._fixed.get(signing)
            if signer is None:
                signer = self._fixed[signing] = _make_signer(signing, signing.secrets)
        else:
            cache = self._get_cache(target.provider, signing)
            signer = cache.find() or await cache.get()
        first, *lines = request.head.decode("latin-1").split("\r\n")[:-1]
        method, where, _ = first.split(" ")
        path, _, query = where.partition("?")
        headers = [(name, value) for name, _, value in (line.partition(": ") for line in lines)]
        added = signer.sign(method, path, query, headers, request.body, read_time_us() / 1_000_000)
        head = request.head + "".join(f"{name}: {value}\r\n" for name, value in added).encode("latin-1")
        return structs.replace(request, head=head)

    def note_refusal(self, target: Target, status: int) -> None:
        """Note that a provider answered with ``status``: what expires may have ended early, and is then had again."""
        signing = target.signing
        assert signing is not None
        cache = self._kept.get(signing)
        if cache is not None and status in REJECTIONS[signing.scheme]:
            cache.drop()

    def _get_cache(self, provider: str, signing: Signing) -> CredentialCache[Signer]:
        cache = self._kept.get(signing)
        if cache is None:
            identity = signing.identity
            assert identity is not None

            def make(secrets: Mapping[str, Secret]) -> Signer:
                return _make_signer(signing, secrets)

            cache = self._kept[signing] = CredentialCache(provider, identity, make_fetcher(identity), make)
        return cache


def _make_signer(signing: Signing, secrets: Mapping[str, Secret]) -> Signer:
    module, _, name = SIGNERS[signing.scheme].partition(":")
    make: Any = getattr(import_module(module), name)
    signer: Signer = make(structs.replace(signing, secrets=dict(secrets)))
    return signer
