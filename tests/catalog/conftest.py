"""The catalog's tests load configurations with the fixtures of the configuration's tests."""

from config.conftest import _empty_folder, detected, files

__all__ = ["_empty_folder", "detected", "files"]
