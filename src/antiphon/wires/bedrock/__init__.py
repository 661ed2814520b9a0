"""The Bedrock Converse wire: ``POST /model/{modelId}/converse`` and ``/converse-stream``.

What belongs here: reading, checking and writing Converse's JSON and events, and what of a request goes into which field
for which family of models. What does not: signing and event stream framing (``wires.aws``), InvokeModel, sockets.

Facts are from the Amazon Bedrock API reference (Converse, ConverseStream, and the types they name) and the user guide
(prompt caching, structured outputs, adaptive thinking), as of November 2026.
"""

from antiphon.wires.bedrock.codec import BedrockCodec
from antiphon.wires.bedrock.paths import path
from antiphon.wires.bedrock.wire import Converse

__all__ = ["BedrockCodec", "Converse", "path"]
