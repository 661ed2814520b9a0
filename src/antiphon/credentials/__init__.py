"""Who the gateway is at a cloud: credentials that expire, had from where they come from and had again in time.

What belongs here: one file for each source of such credentials (Google's application default credentials, Entra ID,
AWS's chain), and keeping one fresh. The makers' own libraries do the work; they are extras, imported with the first
call that needs one and run in a thread. What does not: credentials that stay (``catalog``), which header or signature
a credential becomes (``engine.signing``), and any comparison with a provider's name.
"""

from antiphon.credentials.fetched import Fetched
from antiphon.credentials.keeper import Keeper
from antiphon.credentials.quiet import Quiet
from antiphon.credentials.sources import SOURCES, fetcher

__all__ = ["SOURCES", "Fetched", "Keeper", "Quiet", "fetcher"]
