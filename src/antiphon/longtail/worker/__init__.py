"""LiteLLM behind a Unix socket, speaking the OpenAI wire. The Python of LiteLLM's own environment runs this package.

What belongs here: what runs in that process. What does not: anything of Antiphon. The modules import only the standard
library, LiteLLM, aiohttp (which LiteLLM requires), and one another by relative imports: in that process this is a
top-level package (see ``__main__.py``).
"""
