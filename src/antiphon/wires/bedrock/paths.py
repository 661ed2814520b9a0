"""The request path of a model: the model id is one segment, whatever it holds."""

from urllib.parse import quote

_LAST = {False: "converse", True: "converse-stream"}


def path(model: str, stream: bool) -> str:
    """Return the path for a model id, inference profile or ARN; ``:`` and ``/`` are encoded, as AWS's clients do."""
    return f"/model/{quote(model, safe='-_.~')}/{_LAST[stream]}"
