"""Message formats: bytes to meaning and back, without I/O.

This package reads, checks, changes and frames the messages of each wire. Sockets, timers, prices and the choice of a
target do not belong here.
"""

from antiphon.wires.table import find_translation, get_codec, get_wire
from antiphon.wires.wire import Envelope, Wire

__all__ = ["Envelope", "Wire", "find_translation", "get_codec", "get_wire"]
