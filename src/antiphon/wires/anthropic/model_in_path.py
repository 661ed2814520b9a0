"""The request body for hosts that name the model in the URL (guide "Claude on Vertex AI", "API differences")."""

from typing import Any

MODEL_IN_PATH = "model_in_path"
"""The quirk of a provider kind whose hosts take the model from the URL and the API version from the body."""

_VERSION = "vertex-2023-10-16"


def move_model_to_path(document: dict[str, Any]) -> dict[str, Any]:
    """Return the members of a request for such a host: without the model, with the API version."""
    members = {name: value for name, value in document.items() if name != "model"}
    members.setdefault("anthropic_version", _VERSION)
    return members
