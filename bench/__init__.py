"""The bench: the cost of a call through Antiphon, compared with nginx and others, in one run on one machine.

Code that starts the measured programs, puts load on them, reads the operating system's counters and writes the tables
belongs here. Code that the product itself needs does not, nor does a figure without a reference from the same run.
"""
