"""The catalog: which providers and models can be called, under which names, at which addresses and prices.

What belongs here: provider kinds (rows of ``kinds``), known facts about models (``facts.json``), what models accept
(rows of ``profiles``), and resolving a name to targets. What does not: reading a configuration file (``config``), the
providers' protocols (``wires``), sockets (``transport``), choosing among targets (``routing``), and any comparison with
the name of a provider or a model.
"""

from antiphon.catalog.catalog import Catalog
from antiphon.catalog.models import ModelFacts
from antiphon.catalog.provider import Provider
from antiphon.catalog.settings import Settings

__all__ = ["Catalog", "ModelFacts", "Provider", "Settings"]
