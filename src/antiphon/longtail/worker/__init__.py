"""LiteLLM behind a Unix socket, speaking the OpenAI wire. Run by the Python of LiteLLM's own environment, not by ours.

What belongs here: what runs there. What does not: anything of Antiphon. Nothing but the standard library, LiteLLM, and
aiohttp, which LiteLLM brings, is imported here, and modules of this package from one another, relatively: there it is a
package of its own (``__main__.py``).
"""
