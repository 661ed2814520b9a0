"""The SQL database: connections, transactions, the schema and its migrations.

What belongs here: everything a database needs to store rows. What does not: what the rows mean, which the ledger, the
callers and the responses know, and anything that runs on the event loop: every function here may block.
"""
