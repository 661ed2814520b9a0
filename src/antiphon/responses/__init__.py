"""Responses that callers may ask for again: the turns they continue, the ones made in the background, their store.

What belongs here: resolving ``previous_response_id`` and item references before a call, keeping the turn after it,
background responses, and retrieval of what was kept. What does not: the Responses wire (wires), the path of a call
(engine), and HTTP (server).
"""
