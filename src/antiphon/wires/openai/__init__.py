"""The OpenAI wire: chat completions, legacy completions and embeddings.

This package reads, checks, changes and writes OpenAI's JSON and frames. The Responses wire, which is another format of
the same company, and facts about other providers of this wire do not belong here.
"""

from antiphon.wires.openai.passthrough import Chat, Completions, Embeddings

__all__ = ["Chat", "Completions", "Embeddings"]
