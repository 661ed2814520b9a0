"""The Bedrock Converse wire: ``POST /model/{modelId}/converse`` and ``/converse-stream``.

This package reads, checks and writes Converse's JSON and events, and puts each request field where the family of models
expects it. Signing and event stream framing are in ``wires.aws``; sockets do not belong here.

Sources, as of November 2026: Amazon Bedrock API reference (Converse, ConverseStream, and the types they name) and user
guide (prompt caching, structured outputs, adaptive thinking).
"""

from antiphon.wires.bedrock.codec import BedrockCodec
from antiphon.wires.bedrock.passthrough import Converse

__all__ = ["BedrockCodec", "Converse"]
