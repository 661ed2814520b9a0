"""Transports: a request goes to an origin, a response comes back. All network traffic to providers passes here.

What belongs here: connections, pools, TLS, proxies, framing of HTTP/1.1, and where a credential may go. What does not:
wires, models, money, and a second try at another target.

Every object with ``send`` and ``close`` is a transport: the HTTP/1.1 client of this room, the simulator, a user's fake.
The scheme of the origin decides which one is used.
"""

from antiphon.transport.interface import Headers, Request, Response, Supervisor, Transport

__all__ = ["Headers", "Request", "Response", "Supervisor", "Transport"]
