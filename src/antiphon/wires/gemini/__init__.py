"""The Gemini wire: generateContent and its stream, countTokens, embedContent and batchEmbedContents.

What belongs here: reading, checking, changing and writing this wire's JSON and frames, its addresses (the model stands
in the path), its error names, and its side of every translation. What does not: whose servers speak it (Vertex is a
row with another address), sockets, prices.
"""

from antiphon.wires.gemini.address import Address, read_address
from antiphon.wires.gemini.codec import Gemini
from antiphon.wires.gemini.embeddings import Embed, EmbedBatch
from antiphon.wires.gemini.passthrough import Generate
from antiphon.wires.gemini.token_count import CountTokens

__all__ = ["Address", "CountTokens", "Embed", "EmbedBatch", "Gemini", "Generate", "read_address"]
