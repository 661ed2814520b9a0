"""Message formats: bytes to meaning and back, without I/O.

What belongs here: reading, checking, changing and framing what a wire carries. What does not: sockets, timers, prices,
the choice of a target. The same file serves both directions, so that a format exists once.
"""

from antiphon.wires.table import find_translation, get_codec, get_wire
from antiphon.wires.wire import Envelope, Wire

__all__ = ["Envelope", "Wire", "find_translation", "get_codec", "get_wire"]
