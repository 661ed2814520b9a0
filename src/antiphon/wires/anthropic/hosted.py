"""The body of a request for a host that has the model in its path (guide "Claude on Vertex AI", "API differences")."""

from typing import Any

MODEL_IN_PATH = "model_in_path"
"""The quirk of a provider kind whose hosts name the model in the URL, and the version of the API in the body."""

_VERSION = "vertex-2023-10-16"


def hosted(document: dict[str, Any]) -> dict[str, Any]:
    """Return a request's members as such a host takes them."""
    members = {name: value for name, value in document.items() if name != "model"}
    members.setdefault("anthropic_version", _VERSION)
    return members
