"""The points at which code may join a call, on one screen, and the chain that is compiled from it.

A chain is compiled once for each set of hooks. A point that no hook uses costs one test of an empty tuple.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from antiphon.engine.call import Answer, Call
from antiphon.engine.hook_chain import HookChain, Notice
from antiphon.engine.outcome import Committed
from antiphon.types import Model, Record, Target


class Hook:
    """Base of hooks: override the points you need; the others are left out of the chain."""

    async def before(self, call: Call, model: Model) -> tuple[Call, Model] | Answer:
        """Replace the request or narrow the targets before anything is sent, or answer the call yourself."""
        raise NotImplementedError

    async def on_commit(self, call: Call, committed: Committed) -> None:
        """See the answer once its first real output has come, before the caller gets any of it."""
        raise NotImplementedError

    def on_event(self, call: Call, frames: bytes) -> bytes:
        """See, and perhaps change, whole frames on their way to the caller."""
        raise NotImplementedError

    async def before_last_byte(self, call: Call, target: Target, response: bytes, cuts: Sequence[int]) -> Notice | None:
        """Act once a complete answer is recorded and before its end is shown.

        ``response`` is the response object, on wires that have one, and otherwise the whole body or ``b""``.
        """
        raise NotImplementedError

    def on_record(self, call: Call, record: Record) -> None:
        """See the record of a call after it was journaled."""
        raise NotImplementedError


def compile_hooks(hooks: Iterable[Hook]) -> HookChain:
    """Return the chain of some hooks, in their order."""
    points: dict[str, tuple[Any, ...]] = {}
    for hook in hooks:
        for point in HookChain.__struct_fields__:
            if getattr(type(hook), point) is not getattr(Hook, point):
                points[point] = (*points.get(point, ()), getattr(hook, point))
    return HookChain(**points)


def join_chains(first: HookChain, second: HookChain) -> HookChain:
    """Return the chain that runs the hooks of two chains, one after the other."""
    return HookChain(*(getattr(first, point) + getattr(second, point) for point in HookChain.__struct_fields__))
