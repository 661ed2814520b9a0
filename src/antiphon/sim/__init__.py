"""The simulator: a provider of language models that answers offline, at a chosen speed and with chosen faults.

What belongs here: one brain, which turns a request into a performance (what is sent, when, and how it breaks), and
its bodies: a transport inside the process and a server on a socket. What does not: anything the gateway does with an
answer, and any wire the simulator does not itself speak as a provider.
"""
