"""The configuration: from ``antiphon.yaml``, or from what this machine offers, to a catalog and settings.

What belongs here: the file's shape, every check of it, detection without a file, the effective configuration with the
source of each value, and imports of other programs' files. What does not: what a provider or model is (catalog), and
anything that a call needs while it runs.
"""

from antiphon.config.load import load_config

__all__ = ["load_config"]
