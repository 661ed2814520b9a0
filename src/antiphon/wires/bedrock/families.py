"""What Converse has no field for: where it goes, by the family that a model id names.

Converse passes ``additionalModelRequestFields`` to the model as they are: their spelling is the model's. A model id is
``[region.]vendor.model``, alone or at the end of an ARN; the longest prefix in the table below tells the family. An id
that names none (an application inference profile, an imported model) has the first row: only what Converse itself has.

Sources: Bedrock user guide, "Inference request parameters"; "Extended thinking" and "Adaptive thinking" (Claude); Nova
user guide, "Complete request schema" and "Extended thinking"; API reference, "OutputConfig".
"""

from typing import Literal

import msgspec

Path = tuple[str, ...]
Thinking = Literal["", "budget", "adaptive", "both"]

_MORE = "additionalModelRequestFields"


class Family(msgspec.Struct, frozen=True):
    """How models of one family take what tunes them. Every field defaults to what is safe for an unknown model."""

    top_k: Path = ()
    effort: Path = ()
    efforts: dict[str, str] = {}
    """Effort in OpenAI's words to the family's own; a word that is missing cannot be said."""
    beside_effort: tuple[tuple[Path, str], ...] = ()
    """What must be said together with an effort."""
    thinking: Thinking = ""
    """Which of Claude's forms of ``thinking`` the models take: a budget in tokens, adaptive, or both."""
    sampling: bool = True
    """Takes temperature, top_p and top_k at all."""
    both_samplers: bool = True
    """Takes temperature and top_p together."""
    signed_by: frozenset[str] = frozenset({"bedrock"})
    """Wires whose thinking signatures these models accept: Claude's are the same on every platform."""


_CLAUDE_EFFORTS = {"minimal": "low", "low": "low", "medium": "medium", "high": "high", "xhigh": "xhigh", "max": "max"}
_THREE_EFFORTS = {"minimal": "low", "low": "low", "medium": "medium", "high": "high", "xhigh": "high", "max": "high"}

_PLAIN = Family()
_CLAUDE = Family(
    top_k=(_MORE, "top_k"),
    effort=("outputConfig", "effort"),
    efforts=_CLAUDE_EFFORTS,
    thinking="adaptive",
    sampling=False,
    signed_by=frozenset({"bedrock", "anthropic"}),
)
_CLAUDE_4_6 = msgspec.structs.replace(_CLAUDE, thinking="both", sampling=True, both_samplers=False)
_CLAUDE_4_5 = msgspec.structs.replace(_CLAUDE_4_6, thinking="budget", effort=())
_CLAUDE_4 = msgspec.structs.replace(_CLAUDE_4_5, both_samplers=True)
_CLAUDE_3 = msgspec.structs.replace(_CLAUDE_4, thinking="")
_NOVA = Family(
    top_k=(_MORE, "inferenceConfig", "topK"),
    effort=(_MORE, "reasoningConfig", "maxReasoningEffort"),
    efforts=_THREE_EFFORTS,
    beside_effort=(((_MORE, "reasoningConfig", "type"), "enabled"),),
)

FAMILIES: dict[str, Family] = {
    "": _PLAIN,
    "anthropic.": _CLAUDE,
    "anthropic.claude-opus-4-6": _CLAUDE_4_6,
    "anthropic.claude-sonnet-4-6": _CLAUDE_4_6,
    "anthropic.claude-opus-4-5": _CLAUDE_4_5,
    "anthropic.claude-sonnet-4-5": _CLAUDE_4_5,
    "anthropic.claude-haiku-4-5": _CLAUDE_4_5,
    "anthropic.claude-opus-4-1": _CLAUDE_4_5,
    "anthropic.claude-opus-4-2": _CLAUDE_4,
    "anthropic.claude-sonnet-4-2": _CLAUDE_4,
    "anthropic.claude-3-7": _CLAUDE_4,
    "anthropic.claude-3": _CLAUDE_3,
    "amazon.nova-2": _NOVA,
    "amazon.nova": msgspec.structs.replace(_NOVA, effort=()),
    "openai.": Family(effort=(_MORE, "reasoning_effort"), efforts=_THREE_EFFORTS),
    "mistral.": Family(top_k=(_MORE, "top_k")),
    "cohere.": Family(top_k=(_MORE, "k")),
}
"""Prefix of a model id to its family. ``anthropic.claude-opus-4-2`` begins the dated ids of Opus 4 itself."""

BUDGETS = {"minimal": 1024, "low": 2048, "medium": 8192, "high": 16_384, "xhigh": 32_768, "max": 32_768}
"""Effort to tokens of thinking, for models that take a budget only."""
LEAST_BUDGET = 1024
_LONGEST = max(map(len, FAMILIES))


def family_of(model: str) -> Family:
    """Return the family a model id, inference profile id or ARN names."""
    name = model.rpartition("/")[2]
    return _match(name) or _match(name.partition(".")[2]) or _PLAIN


def _match(name: str) -> Family | None:
    for length in range(min(len(name), _LONGEST), 0, -1):
        if (family := FAMILIES.get(name[:length])) is not None:
            return family
    return None
