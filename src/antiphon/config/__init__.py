"""The configuration: turns ``antiphon.yaml``, or what is detected on this machine, into a catalog and settings.

What belongs here: the format of the file, every check of it, detection without a file, the effective settings with
their sources, and imports of other programs' files. What does not: the definition of providers and models
(``catalog``), and anything that a running call needs. Only the command line, the client and the runtime use this room.
"""

from antiphon.config.load import load_config

__all__ = ["load_config"]
