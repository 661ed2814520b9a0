"""Wrong shapes in a caller's body, as errors that name the field."""

from antiphon.errors import BadRequest


def misshapen(problem: str, within: str = "") -> BadRequest:
    """Turn msgspec's ``Expected `str`, got `int` - at `$.model``` into an error that names the field.

    ``within`` is the path of the value that was read, where it was not the whole body.
    """
    reason, _, path = problem.partition(" - at ")
    field = f"{within}{path.strip('`').removeprefix('$')}".removeprefix(".")
    if "missing required field" in reason:
        missing = reason.rpartition("`")[0].rpartition("`")[2]
        field = f"{field}.{missing}" if field else missing
        return BadRequest(f"`{field}` is missing; this request needs it.", param=field)
    if not field:
        return BadRequest(f"The body has the wrong shape: {reason[:1].lower()}{reason[1:]}.")
    return BadRequest(f"`{field}` has the wrong type: {reason[:1].lower()}{reason[1:]}.", param=field)
