"""The whole API again under further prefixes, for programs whose addresses cannot be changed.

A path under a prefix stands for one of our own: what is left without the prefix, or that behind ``/v1``. What is
allowed and what runs is decided by that path, exactly as if it had been asked for.
"""

from collections.abc import Sequence

from antiphon.server.routes import Route, find_route, has_route


class Prefixes:
    """Finds routes for paths with and without a prefix."""

    def __init__(self, prefixes: Sequence[str]) -> None:
        self._prefixes = tuple(prefix.encode() for prefix in prefixes)

    def find(self, method: str, path: bytes) -> tuple[Route, bytes]:
        """See :func:`antiphon.server.routes.find_route`."""
        return find_route(method, self.strip_prefix(path))

    def strip_prefix(self, path: bytes) -> bytes:
        """Return the path of our own that a path stands for; itself where it has no prefix."""
        for prefix in self._prefixes:
            if path.startswith(prefix + b"/"):
                rest = path[len(prefix) :]
                versioned = b"/v1" + rest
                return versioned if not has_route(rest) and has_route(versioned) else rest
        return path
