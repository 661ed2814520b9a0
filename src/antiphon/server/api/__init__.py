"""The handlers of the public API, one file per subject; ``server.routes`` says which path leads to which.

What belongs here: reading what a request asks for and handing it to the engine or the catalog. What does not: deciding
about models, providers or prices, and reading a wire's body.
"""
