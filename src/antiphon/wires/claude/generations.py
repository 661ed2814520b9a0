"""What a generation of models on this wire takes, by the name of the model.

Sources, as of November 2026: guide "Thinking" with "Troubleshooting thinking" (which form each model takes, how it is
turned off, sampling parameters), "Effort", "Structured outputs", "Mid-conversation system messages", and the models
overview (most output tokens). A new model falls under the newest row of its family. A name without a generation is a
compatible server's: it gets the form that every such server knows.
"""

import re
from functools import lru_cache
from typing import Literal

import msgspec

_EFFORTS = ("low", "medium", "high", "max")
_EFFORTS_XHIGH = ("low", "medium", "high", "xhigh", "max")


class Generation(msgspec.Struct, frozen=True):
    """What the models of one generation take."""

    max_tokens: int
    """Output tokens asked for where a caller sets no limit, because this wire needs one."""
    thinking: Literal["none", "budget", "adaptive"]
    off: Literal["omit", "disabled", "between_tools", "never"] = "omit"
    """How thinking is turned off: by saying nothing, by a thinking type, or not at all."""
    efforts: tuple[str, ...] = ()
    sampling: bool = True
    """Takes ``temperature``, ``top_p`` and ``top_k``."""
    both: bool = True
    """Takes ``temperature`` and ``top_p`` together."""
    structured: bool = False
    """Takes ``output_config.format`` and strict tools."""
    system_turns: bool = False
    """Takes ``system`` messages after a user's."""


_ADAPTIVE = Generation(128_000, "adaptive", "disabled", _EFFORTS_XHIGH, False, False, True, True)

_ROWS: tuple[tuple[str, tuple[int, int], Generation], ...] = (
    ("fable|mythos", (5, 0), msgspec.structs.replace(_ADAPTIVE, off="never")),
    ("opus", (5, 5), msgspec.structs.replace(_ADAPTIVE, off="never")),
    ("sonnet", (5, 5), msgspec.structs.replace(_ADAPTIVE, off="between_tools")),
    ("", (5, 0), _ADAPTIVE),
    ("", (4, 8), msgspec.structs.replace(_ADAPTIVE, off="omit")),
    ("", (4, 7), msgspec.structs.replace(_ADAPTIVE, off="omit", system_turns=False)),
    ("", (4, 6), Generation(128_000, "adaptive", efforts=_EFFORTS, both=False, structured=True)),
    ("", (4, 5), Generation(64_000, "budget", both=False, structured=True)),
    ("opus", (4, 1), Generation(32_000, "budget", both=False)),
    ("", (4, 0), Generation(32_000, "budget")),
    ("", (3, 7), Generation(32_000, "budget")),
    ("", (3, 5), Generation(8192, "none")),
    ("", (0, 0), Generation(4096, "none")),
)
"""Families, first version, what they take; the first row that fits stands."""

_COMPATIBLE = Generation(8192, "budget")
_NEWEST = 99

_NAME = re.compile(
    r"claude-(?P<before>[a-z]+)?-?(?P<major>\d{1,2})?(?!\d)(?:[-.](?P<minor>\d{1,2})(?!\d))?(?:-(?P<after>[a-z]+))?"
)


@lru_cache(maxsize=256)
def generation_of(model: str) -> Generation:
    """Return what a model takes; hosts put prefixes, dates and versions of their own around its name."""
    match = _NAME.search(model.lower())
    if match is None:
        return _COMPATIBLE
    family = match["before"] or match["after"] or ""
    # A name that only says its family, such as one that ends in `-latest`, is its newest model.
    version = (int(match["major"] or _NEWEST), int(match["minor"] or 0))
    return next(
        (row for names, first, row in _ROWS if version >= first and (not names or family in names.split("|"))),
        _COMPATIBLE,
    )


_BUDGETS = {"minimal": 1024, "low": 2048, "medium": 8192, "high": 16_384, "xhigh": 32_000}
LEAST_BUDGET = 1024


def budget_of(effort: str) -> int:
    """Return the thinking tokens that stand for an effort, on models that take a budget."""
    return _BUDGETS.get(effort, _BUDGETS["medium"])


_STEPS = ("low", "medium", "high", "xhigh", "max")
_EFFORT_OF = {"minimal": "low", "none": "low"}
_BUDGET_STEPS = ((4096, "low"), (12_288, "medium"), (24_576, "high"))


def effort_of(effort: str, generation: Generation) -> str:
    """Return the nearest effort that a generation knows, upward where its own is missing."""
    wanted = _EFFORT_OF.get(effort, effort)
    if wanted in generation.efforts or wanted not in _STEPS:
        return wanted if wanted in generation.efforts else ""
    return next((step for step in _STEPS[_STEPS.index(wanted) :] if step in generation.efforts), "")


def effort_for(budget: int) -> str:
    """Return the effort that stands for a budget, on models that take none."""
    return next((effort for most, effort in _BUDGET_STEPS if budget <= most), "xhigh")
