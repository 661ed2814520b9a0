"""Ctrl-C while the main thread runs an event loop.

Python runs the handler of a signal between any two steps of the main thread, so an error that the handler raises could
strike in the middle of the loop's work. ``DeferredInterrupt`` lets Ctrl-C cancel a call instead, as ``asyncio.Runner``
does. The handlers of the program itself cannot be deferred, because only the program knows what they do.
"""

import signal
from collections.abc import Callable
from importlib import import_module
from types import FrameType, TracebackType

_signal = import_module("_signal")  # `signal` turns each handler into an enum member, which takes 3 µs
_get_handler, _set_handler = _signal.getsignal, _signal.signal
_SIGNALS = tuple(signal.valid_signals())


def can_defer_interrupts() -> bool:
    """Return whether the program handles no signal itself; Python's own handler of Ctrl-C is not the program's."""
    handlers = list(filter(callable, map(_get_handler, _SIGNALS)))
    return not handlers or handlers == [signal.default_int_handler]


class DeferredInterrupt:
    """A context in which each Ctrl-C calls ``strike`` with its number; ``KeyboardInterrupt`` is raised at its end.

    For the main thread, after :func:`can_defer_interrupts`.
    """

    __slots__ = ("_previous", "_strike", "_strikes")

    def __init__(self, strike: Callable[[int], object]) -> None:
        self._strike = strike
        self._strikes = 0
        self._previous: object = None

    def __enter__(self) -> None:
        if _get_handler(signal.SIGINT) is signal.default_int_handler:  # otherwise it is ignored, or ends the process
            self._previous = _set_handler(signal.SIGINT, self._handle)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._previous is not None:
            _set_handler(signal.SIGINT, self._previous)
        if self._strikes:
            raise KeyboardInterrupt

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self._strikes += 1
        self._strike(self._strikes)
