"""Chooses the translator between a caller's wire and a target."""

from antiphon.errors import BadRequest
from antiphon.types import Target
from antiphon.wires.table import CODECS, find_translation, get_wire
from antiphon.wires.translation.batch import BatchTranslator
from antiphon.wires.translation.generation import GenerationTranslator
from antiphon.wires.translation.passthrough import Passthrough
from antiphon.wires.translation.translator import Translator
from antiphon.wires.wire import Envelope, Wire


def can_answer(target: Target, operation: str) -> bool:
    """Say whether a target can answer an operation, on the operation's own wire or through translation."""
    return operation in target.urls or find_translation(operation, target.urls) is not None


def choose_translator(wire: Wire, envelope: Envelope, target: Target) -> Translator:
    """Return the translator between a caller's wire and a target; raises :class:`BadRequest` if there is none."""
    if wire.operation in target.urls:
        return Passthrough(wire, envelope)
    provider_operation = find_translation(wire.operation, target.urls)
    if provider_operation is None:
        raise BadRequest(
            f"{target.name} does not offer {wire.operation}; choose a model of a provider that does.", param="model"
        )
    if wire.operation in CODECS:
        return GenerationTranslator(wire, get_wire(provider_operation), envelope)
    return BatchTranslator(wire, get_wire(provider_operation), envelope, target)
