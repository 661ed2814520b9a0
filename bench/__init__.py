"""The bench: what a call costs through Antiphon, beside nginx and others, in one run on one machine.

What belongs here: starting what is measured, putting load on it, reading the operating system's counters, writing the
table. What does not: anything the product itself needs, and any figure that is not measured in the same run as its
reference.
"""
