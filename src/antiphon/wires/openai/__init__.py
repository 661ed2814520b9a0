"""The OpenAI wire: chat completions, legacy completions and embeddings.

What belongs here: reading, checking, changing and writing OpenAI's JSON and frames. What does not: the Responses wire,
which is another format of the same company, and facts about other providers of this wire.
"""

from antiphon.wires.openai.passthrough import Chat, Completions, Embeddings

__all__ = ["Chat", "Completions", "Embeddings"]
