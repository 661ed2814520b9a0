"""Stored responses: the history that a request continues, background responses, retrieval, and the store.

What belongs here: resolving ``previous_response_id`` and item references before a call, storing the turn after it,
making responses in the background, and retrieving stored responses. What does not: the Responses wire (wires), the
path of a call (engine), and HTTP (server).
"""
