"""The path of a call: from a checked request to an answer that is journaled, at one target after another.

What belongs here: the pipeline, attempts, deadlines, the bookkeeping of a call, and the wiring of services. What does
not: reading a wire (wires), moving bytes (transport), HTTP towards callers (server).
"""
