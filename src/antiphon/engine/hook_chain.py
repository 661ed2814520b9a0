"""The hooks of a call, compiled: for each point the functions to run, in order.

:class:`antiphon.engine.hooks.Hook` describes the points and the types. This file knows no call, so that the services
which a call refers to can hold a chain.
"""

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import msgspec

AsyncPoint: TypeAlias = tuple[Callable[..., Awaitable[Any]], ...]
Point: TypeAlias = tuple[Callable[..., Any], ...]


class HookChain(msgspec.Struct, frozen=True, eq=False):
    """A point without hooks is an empty tuple and costs one test."""

    before: AsyncPoint = ()
    on_commit: AsyncPoint = ()
    on_event: Point = ()
    before_last_byte: AsyncPoint = ()
    on_record: Point = ()


class Notice(msgspec.Struct, frozen=True):
    """Something that a hook has to tell the caller: a header field of a whole answer, a comment in a stream."""

    header: bytes
    value: bytes
    comment: bytes
