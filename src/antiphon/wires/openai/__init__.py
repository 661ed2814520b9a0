"""The OpenAI wire: chat completions, legacy completions, embeddings.

What belongs here: reading, checking, changing and writing OpenAI's JSON and frames. What does not: the Responses wire,
which is another format of the same company, and anything of a provider that merely speaks this wire.
"""

from antiphon.wires.openai.passthrough import Chat, Completions, Embeddings

__all__ = ["Chat", "Completions", "Embeddings"]
