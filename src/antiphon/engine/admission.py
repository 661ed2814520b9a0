"""Admission: what must hold before a call may cost anything. It is refused here, or it will have a record."""

from antiphon.engine.call import Call
from antiphon.engine.services import Services
from antiphon.errors import Forbidden, Unavailable
from antiphon.types import Model


def must_refuse_calls(services: Services) -> bool:
    """Say whether calls must be refused now, because they could not be recorded."""
    journal = services.journal
    return journal is not None and not journal.healthy and services.settings.on_journal_full == "refuse"


def admit(call: Call) -> Model:
    """Return the model that a call may use; raises :class:`~antiphon.errors.CallError` where it may not run."""
    if must_refuse_calls(call.services):
        raise Unavailable("Calls cannot be recorded at the moment, and this gateway is set to refuse them then.")
    model = call.procedure.resolve(call)
    caller, name = call.caller, call.envelope.model
    if call.procedure.names_model and caller.models and not (caller.may_use(name) or caller.may_use(model.name)):
        raise Forbidden(
            f"This key may not use the model {name!r}; it may use: {', '.join(sorted(caller.models))}.",
            code="model_not_allowed",
            param="model",
        )
    return model
