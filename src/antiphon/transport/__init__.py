"""The one network seam: a request goes to an origin, a response comes back.

What belongs here: connections, pools, TLS, proxies, framing of HTTP/1.1, and where a credential may go. What does not:
a wire, a model, money, a second try at another target.

Anything with ``send`` and ``close`` is a transport: the HTTP/1.1 client of this room, the simulator, a user's fake.
Choose one by the scheme of the origin.
"""

from antiphon.transport.seam import Headers, Request, Response, Supervisor, Transport

__all__ = ["Headers", "Request", "Response", "Supervisor", "Transport"]
