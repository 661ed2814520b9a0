"""Message formats: bytes to meaning and back, without I/O.

What belongs here: reading, checking, changing and framing what a wire carries. What does not: sockets, timers, prices,
the choice of a target. The same file serves both directions, so that a format exists once.
"""

from antiphon.wires.openai import Chat, Completions, Embeddings
from antiphon.wires.wire import Envelope, Wire

OPERATIONS: dict[str, Wire] = {wire.operation: wire for wire in (Chat(), Completions(), Embeddings())}
"""Operation name to the codec of the wire it is called on."""

__all__ = ["OPERATIONS", "Envelope", "Wire"]
