"""The gateway over HTTP: a strict HTTP/1.1 server, an ASGI application over the runtime, and the process around both.

What belongs here: sockets and framing (``http``), the table of routes and who may use them (``app``, ``routes``,
``policy``, ``auth``), the handlers (``api``), error bodies (``errors``) and the life of the process (``process``,
``phase``, ``banner``). What does not: decisions about a model, a provider or a price, which the engine and the catalog
make, and reading a wire's request body.
"""
