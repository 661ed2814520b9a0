"""The Anthropic Messages wire: messages and token counting, as pass-through and as a codec.

What belongs here: the JSON, the events, the error shapes and the usage of Anthropic's Messages API. What does not:
what its models take (``claude``), sockets, prices, the choice of a target, any other wire's spelling.
"""

from antiphon.wires.anthropic.codec import AnthropicCodec
from antiphon.wires.anthropic.wire import CountTokens, Messages

__all__ = ["AnthropicCodec", "CountTokens", "Messages"]
