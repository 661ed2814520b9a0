"""What every call used and cost: the journal that cannot lose it, the shipper that files it, the questions one asks.

What belongs here: writing records down, moving them to the database, adding them up, proving that both agree. What
does not: deciding what a call costs (that is the catalog's price list), who may call, and the database's own dialect.
``docs/ledger.md`` is the design on one page.
"""
