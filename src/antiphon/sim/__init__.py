"""The simulator: a provider of language models that answers offline, at a chosen speed and with chosen faults.

What belongs here: the `Simulator`, which turns a request into a plan of its response (what is sent, when, and how it
breaks), and the two places that carry the plan out: a transport inside the process and a server on a socket. What does
not: anything the gateway does with an answer, and any wire that the simulator does not speak as a provider.
"""
