"""Request signing and event stream framing, which all AWS services share, as pure functions.

This package has Signature Version 4 and the ``application/vnd.amazon.eventstream`` encoding. It knows nothing of the
meaning of a message (see ``wires.bedrock``), the source of credentials, sockets or the clock.
"""

from antiphon.wires.aws.eventstream import EventStreamSplitter, Message, MessageReader
from antiphon.wires.aws.sigv4 import Signer, sign

__all__ = ["EventStreamSplitter", "Message", "MessageReader", "Signer", "sign"]
