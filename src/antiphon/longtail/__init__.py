"""LiteLLM next door: its environment, its processes, and the transport that goes to them.

What belongs here: installing, starting, watching and stopping LiteLLM, and bringing calls to it. What does not: its
parameters and names (catalog), the OpenAI wire that it speaks to us (wires), retries and deadlines (engine). Nothing
here imports ``litellm``; only ``worker`` does, which another Python runs.
"""
