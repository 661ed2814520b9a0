"""Message formats: bytes to meaning and back, without I/O.

Code that reads, checks, changes or frames the messages of a wire belongs here. Sockets, timers, prices and the choice
of a target do not.
"""

from antiphon.wires.table import find_translation, get_codec, get_wire
from antiphon.wires.wire import Envelope, Wire

__all__ = ["Envelope", "Wire", "find_translation", "get_codec", "get_wire"]
