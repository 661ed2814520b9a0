"""LiteLLM in processes of its own: its environment, its processes, and the transport that sends calls to them.

What belongs here: installing, starting, watching and stopping LiteLLM, and sending calls to it. What does not: its
parameters and model names (catalog), the OpenAI wire that it speaks (wires), retries and deadlines (engine). Nothing
here imports ``litellm`` except ``worker``, which another Python runs.
"""
