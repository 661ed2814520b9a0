"""Where rows live: the database, its tables, its migrations.

What belongs here: connections, transactions, the schema and how it grows. What does not: what the rows mean (that is
the ledger's and the keys' business), and anything that runs on the event loop: every function here may block.
"""
