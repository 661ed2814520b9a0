"""HTTP/1.1 towards callers: sockets, framing, limits and deadlines of one connection, below a plain ASGI application.

What belongs here: everything of RFC 9110 and RFC 9112. What does not: routes, keys and anything that reads a body.
"""
