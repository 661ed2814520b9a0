"""The record of what every call used and cost: the journal, the shipper, reports on usage, and their proof.

What belongs here: writing records down, moving them to the database, adding them up, and proving that journal and
database agree. What does not: deciding what a call costs (the catalog's price list), who may call, and the dialect of a
database. ``docs/ledger.md`` is the design on one page.
"""
