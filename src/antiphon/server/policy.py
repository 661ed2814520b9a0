"""The access levels of routes: what a caller needs before a route runs."""

from enum import StrEnum

from antiphon.catalog import Settings


class Needs(StrEnum):
    """The levels of the policy table, lowest first."""

    NOTHING = "nothing"
    KEY = "key"
    ADMIN = "admin"


METRICS = "metrics"
"""The name of the setting that opens the metrics to everybody."""


def find_needs(needs: Needs, opened_by: str, settings: Settings) -> Needs:
    """Return what a route needs with these settings; ``opened_by`` names the setting that opens it to everybody."""
    return Needs.NOTHING if opened_by == METRICS and settings.metrics == "open" else needs
