"""The catalog: whom to call, under which name, at which address, for which price.

What belongs here: the configuration file and its faults, provider kinds (rows of ``kinds``), what is known of
models (``facts.json``), and resolving a name to targets. What does not: how to speak to a provider (``wires``), sockets
(``transport``), choosing among targets (``routing``), and any comparison with a provider's name.
"""

from antiphon.catalog.catalog import Catalog
from antiphon.catalog.facts import ModelFacts
from antiphon.catalog.load import load
from antiphon.catalog.provider import Provider
from antiphon.catalog.settings import Settings

__all__ = ["Catalog", "ModelFacts", "Provider", "Settings", "load"]
