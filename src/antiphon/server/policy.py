"""What a request must show before a route runs for it."""

from enum import StrEnum

from antiphon.catalog import Settings


class Needs(StrEnum):
    """The levels of the policy table, each above the one before."""

    NOTHING = "nothing"
    KEY = "key"
    ADMIN = "admin"


METRICS = "metrics"
"""The setting by which an operator opens the metrics to everybody."""


def find_needs(needs: Needs, opened_by: str, settings: Settings) -> Needs:
    """Return what a route needs under some settings; ``opened_by`` names the setting that opens it to everybody."""
    return Needs.NOTHING if opened_by == METRICS and settings.metrics == "open" else needs
