"""What models accept, as data: one TOML file for each family, one row for each generation that changed something.

What belongs here: the rows, and the lookup of a :class:`~antiphon.types.Profile` by a model's name. What does not:
prices, limits and operations (``catalog.models``), anything about a provider (``catalog.kinds``), and how a wire writes
a request. ``docs/models.md`` explains the fields and how to add a model.
"""

from antiphon.catalog.profiles.load import get_profile

__all__ = ["get_profile"]
