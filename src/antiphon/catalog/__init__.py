"""The catalog: whom to call, under which name, at which address, for which price.

What belongs here: provider kinds (rows of ``kinds``), what is known of models (``facts.json``), and resolving a name
to targets. What does not: reading a configuration file (``config``), how to speak to a provider (``wires``), sockets
(``transport``), choosing among targets (``routing``), and any comparison with a provider's name.
"""

from antiphon.catalog.catalog import Catalog
from antiphon.catalog.models import ModelFacts
from antiphon.catalog.provider import Provider
from antiphon.catalog.settings import Settings

__all__ = ["Catalog", "ModelFacts", "Provider", "Settings"]
