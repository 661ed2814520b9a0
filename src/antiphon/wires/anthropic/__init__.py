"""The Anthropic Messages wire: messages and token counting, as pass-through and as a codec.

What belongs here: the JSON, the events, the error shapes and the usage of Anthropic's Messages API. What does not:
facts about models (``catalog.profiles``), sockets, prices, the choice of a target, the field names of other wires.
"""

from antiphon.wires.anthropic.codec import AnthropicCodec
from antiphon.wires.anthropic.passthrough import CountTokens, Messages

__all__ = ["AnthropicCodec", "CountTokens", "Messages"]
