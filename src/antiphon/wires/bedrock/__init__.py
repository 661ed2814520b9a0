"""The Bedrock Converse wire: ``POST /model/{modelId}/converse`` and ``/converse-stream``.

What belongs here: reading, checking and writing Converse's JSON and events, and the place of each request field for
each family of models. What does not: signing and event stream framing (``wires.aws``), sockets.

Sources, as of November 2026: Amazon Bedrock API reference (Converse, ConverseStream, and the types they name) and user
guide (prompt caching, structured outputs, adaptive thinking).
"""

from antiphon.wires.bedrock.codec import BedrockCodec
from antiphon.wires.bedrock.passthrough import Converse

__all__ = ["BedrockCodec", "Converse"]
