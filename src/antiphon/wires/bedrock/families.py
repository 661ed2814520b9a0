"""What models of a family take, and where what Converse has no field for goes, by the family that a model id names.

Converse passes ``additionalModelRequestFields`` to the model as they are: their spelling is the model's. A model id is
``[region.]vendor.model``, alone or at the end of an ARN. The longest prefix in the table below tells the family; what a
generation of Claude takes is told where the Messages wire has it. An id that names no family (an application inference
profile, an imported model) gets only what Converse itself has.

Sources, as of November 2026: Bedrock user guide, "Inference request parameters", "Structured outputs" (models) and
"Extended thinking"; Nova user guides, "Complete request schema" and "Extended thinking"; API reference, "OutputConfig".
"""

from functools import lru_cache

import msgspec

from antiphon.wires.claude.generations import Generation, generation_of

Path = tuple[str, ...]

MORE = "additionalModelRequestFields"


class Family(msgspec.Struct, frozen=True):
    """What models of one family take. Every field defaults to what is safe for an unknown model."""

    top_k: Path = ()
    effort: Path = ()
    efforts: dict[str, str] = {}
    """Effort in OpenAI's words to the family's own; a word that is missing cannot be said."""
    beside_effort: tuple[tuple[Path, str], ...] = ()
    """What must be said together with an effort."""
    structured: bool = False
    """Takes ``outputConfig.textFormat`` and strict tools."""
    claude: Generation | None = None
    """Set for Claude: which form of thinking and which sampling its generation takes."""
    signed_by: frozenset[str] = frozenset({"bedrock"})
    """Wires whose thinking signatures these models accept: Claude's are the same on every platform."""


_EFFORTS = {"minimal": "low", "low": "low", "medium": "medium", "high": "high", "xhigh": "high", "max": "high"}
_PLAIN = Family()
_OPEN = Family(structured=True)
_CLAUDE = Family(
    top_k=(MORE, "top_k"), effort=("outputConfig", "effort"), signed_by=frozenset({"bedrock", "anthropic"})
)
_CLAUDE_PREFIX = "anthropic."
_NOVA = Family(top_k=(MORE, "inferenceConfig", "topK"))

FAMILIES: dict[str, Family] = {
    _CLAUDE_PREFIX: _CLAUDE,
    "amazon.nova": _NOVA,
    "amazon.nova-2": msgspec.structs.replace(
        _NOVA,
        effort=(MORE, "reasoningConfig", "maxReasoningEffort"),
        efforts=_EFFORTS,
        beside_effort=(((MORE, "reasoningConfig", "type"), "enabled"),),
    ),
    "openai.": Family(effort=(MORE, "reasoning_effort"), efforts=_EFFORTS, structured=True),
    "mistral.": Family(top_k=(MORE, "top_k")),
    "mistral.magistral": _OPEN,
    "mistral.ministral": _OPEN,
    "mistral.mistral-large-3": _OPEN,
    "mistral.voxtral": _OPEN,
    "cohere.": Family(top_k=(MORE, "k")),
    "deepseek.v3": _OPEN,
    "google.gemma-3": _OPEN,
    "minimax.": _OPEN,
    "moonshot.": _OPEN,
    "moonshotai.": _OPEN,
    "nvidia.nemotron": _OPEN,
    "qwen.qwen3": _OPEN,
}
"""Prefix of a model id to its family."""

_LONGEST = max(map(len, FAMILIES))


@lru_cache(maxsize=256)
def family_of(model: str) -> Family:
    """Return the family that a model id, inference profile id or ARN names."""
    name = model.rpartition("/")[2]
    family = _match(name) or _match(name.partition(".")[2]) or _PLAIN
    if family is not _CLAUDE:
        return family
    generation = generation_of(name)
    return msgspec.structs.replace(family, claude=generation, structured=generation.structured)


def _match(name: str) -> Family | None:
    for length in range(min(len(name), _LONGEST), 0, -1):
        if (family := FAMILIES.get(name[:length])) is not None:
            return family
    return None
