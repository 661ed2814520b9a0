"""The handlers of the public API, one file per subject; ``server.routes`` maps paths to them.

What belongs here: reading a request's path, query and headers, and passing it to the engine or the catalog. What does
not: decisions about models, providers or prices, and reading a wire's body.
"""
