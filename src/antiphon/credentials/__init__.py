"""The gateway's own identity at a cloud: credentials that expire, fetched from their source and renewed in time.

What belongs here: one file for each source of such credentials (Google's application default credentials, Entra ID,
AWS's chain), and the cache that keeps one fresh. The vendors' own libraries do the work: they are extras, imported by
the first call that needs one, and they run in a thread. What does not: fixed credentials (``catalog``), the header or
signature that a credential becomes (``engine.signing``), and any comparison with a provider's name.
"""

from antiphon.credentials.cache import CredentialCache
from antiphon.credentials.credential import Credential
from antiphon.credentials.log_filter import CredentialLogFilter
from antiphon.credentials.sources import SOURCES, make_fetcher

__all__ = ["SOURCES", "Credential", "CredentialCache", "CredentialLogFilter", "make_fetcher"]
