"""The gateway over HTTP: a strict HTTP/1.1 server, an application over the runtime, and the server process.

What belongs here: sockets and framing (``http``), the route table and its access rules (``app``, ``routes``,
``policy``, ``auth``), the handlers (``api``), error bodies (``errors``) and the life of the process (``process``,
``phase``, ``banner``). What does not: decisions about models, providers or prices, which the engine and the catalog
make, and reading a wire's request body.
"""
