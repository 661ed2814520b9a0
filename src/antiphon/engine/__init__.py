"""The path of a call: from an admitted request to an answer that is journaled, at one target after another.

What belongs here: the pipeline and its steps, attempts and their deadlines, streams, the record of a call, hooks. What
does not: reading a wire (wires), moving bytes (transport), HTTP towards callers (server), wiring services (runtime).

Read ``pipeline`` first; each step is a file: ``admission``, ``failover``, ``attempt``, ``delivery``, ``recorder``.
``generation`` and ``operation_call`` are the two procedures: what differs between kinds of calls.
"""
