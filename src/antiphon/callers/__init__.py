"""Callers: the people and programs that may call, and the keys they show.

What belongs here: keys, how they are looked up and kept. What does not: reading a key from a request (server), and
credentials of the gateway's own at providers (credentials).
"""
