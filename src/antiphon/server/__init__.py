"""The gateway over HTTP: a strict edge, a plain ASGI application over the engine, and the process around them.

What belongs here: sockets and framing of inbound HTTP/1.1 (``listener``, ``edge``, ``intake``, ``exchange``, ``heads``,
``limits``), the table of routes and who may use them (``app``, ``routes``, ``auth``), error bodies (``envelope``) and
the life of the server process (``serve``, ``greeting``), and what is told about models, prices and kept responses
(``listing``, ``estimate``, ``responses``). What does not: anything that decides about a model, a provider or a price,
which is the engine's and the catalog's, and anything that reads a wire's request body, which is the wires'; requests of
our own that become one are written in ``shortcuts``.
"""
