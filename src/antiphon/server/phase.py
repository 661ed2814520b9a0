"""The phases of the server's life."""

from enum import StrEnum


class Phase(StrEnum):
    """The phases, in order."""

    STARTING = "starting"
    READY = "ready"
    DRAINING = "draining"
