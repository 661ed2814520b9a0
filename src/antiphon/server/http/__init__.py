"""HTTP/1.1 towards callers: sockets, framing, limits and deadlines of connections, below the application.

What belongs here: everything that RFC 9110 and RFC 9112 define. What does not: routes, keys, and reading a body's
content.
"""
