"""Callers: the people and programs that may call, and their keys.

What belongs here: keys, how they are stored and looked up. What does not: reading a key from a request (server), and
the gateway's own credentials at providers (credentials).
"""
