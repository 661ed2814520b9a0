"""Serves the whole API under additional prefixes, for programs whose URLs cannot be changed.

A path under a prefix stands for the path without the prefix, or for that path behind ``/v1``. The resulting path
decides what is allowed and what runs, exactly as if the client had requested it.
"""

from collections.abc import Sequence

from antiphon.server.routes import Route, find_route, has_route


class Prefixes:
    """Finds the routes of paths with and without a prefix."""

    def __init__(self, prefixes: Sequence[str]) -> None:
        self._prefixes = tuple(prefix.encode() for prefix in prefixes)

    def find(self, method: str, path: bytes) -> tuple[Route, bytes]:
        """Return the route of a path and its open part (:func:`antiphon.server.routes.find_route`)."""
        return find_route(method, self.strip_prefix(path))

    def strip_prefix(self, path: bytes) -> bytes:
        """Return the path that a prefixed path stands for; a path without a prefix is returned unchanged."""
        for prefix in self._prefixes:
            if path.startswith(prefix + b"/"):
                rest = path[len(prefix) :]
                versioned = b"/v1" + rest
                return versioned if not has_route(rest) and has_route(versioned) else rest
        return path
