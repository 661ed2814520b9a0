"""What AWS services share below their message formats: request signing and event stream framing, as pure functions.

What belongs here: Signature Version 4 and the ``application/vnd.amazon.eventstream`` encoding. What does not: what a
message means (see ``wires.bedrock``), where credentials come from, sockets, the clock.
"""

from antiphon.wires.aws.eventstream import EventStreamSplitter, Message, MessageReader
from antiphon.wires.aws.sigv4 import Signer, sign

__all__ = ["EventStreamSplitter", "Message", "MessageReader", "Signer", "sign"]
