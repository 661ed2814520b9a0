"""The Gemini wire: generateContent and its stream, countTokens, embedContent and batchEmbedContents.

This package reads, checks, changes and writes this wire's JSON and frames. It has its addresses (the path names the
model), its error names, and its side of every translation. It does not know whose servers speak the wire (Vertex is a
row with another address), sockets or prices.
"""

from antiphon.wires.gemini.address import Address, read_address
from antiphon.wires.gemini.codec import Gemini
from antiphon.wires.gemini.embeddings import Embed, EmbedBatch
from antiphon.wires.gemini.passthrough import Generate
from antiphon.wires.gemini.token_count import CountTokens

__all__ = ["Address", "CountTokens", "Embed", "EmbedBatch", "Gemini", "Generate", "read_address"]
