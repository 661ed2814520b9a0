"""Request signing and event stream framing, which all AWS services share, as pure functions.

What belongs here: Signature Version 4 and the ``application/vnd.amazon.eventstream`` encoding. What does not: the
meaning of a message (see ``wires.bedrock``), the source of credentials, sockets, the clock.
"""

from antiphon.wires.aws.eventstream import EventStreamSplitter, Message, MessageReader
from antiphon.wires.aws.sigv4 import Signer, sign

__all__ = ["EventStreamSplitter", "Message", "MessageReader", "Signer", "sign"]
