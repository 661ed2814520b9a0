"""Where the server is in its life."""

from enum import StrEnum


class Phase(StrEnum):
    """The phases, in their order."""

    STARTING = "starting"
    READY = "ready"
    DRAINING = "draining"
