"""The Anthropic Messages wire: messages and token counting, as pass-through and as a codec.

This package has the JSON, the events, the error shapes and the usage of Anthropic's Messages API. Facts about models
(``catalog.profiles``), sockets, prices, the choice of a target and the field names of other wires do not belong here.
"""

from antiphon.wires.anthropic.codec import AnthropicCodec
from antiphon.wires.anthropic.passthrough import CountTokens, Messages

__all__ = ["AnthropicCodec", "CountTokens", "Messages"]
