"""The catalog's tests load configurations as the configuration's tests do."""

from config.conftest import _elsewhere, detected, files

__all__ = ["_elsewhere", "detected", "files"]
