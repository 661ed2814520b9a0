"""The relayed operations, whose bodies are not translated: path, body format, and how each names its model.

One row is all that an operation needs. The providers' rows say who offers it and at which path.
"""

from collections.abc import Mapping
from typing import Literal

import msgspec


class Operation(msgspec.Struct, frozen=True):
    """One row. ``path`` is the operation's path at the gateway."""

    name: str
    path: str
    body: Literal["json", "form", "any"]
    """``form``: multipart/form-data, streamed to the provider. ``any``: whatever the provider accepts."""
    model: bool = True
    """Whether the body names a model; otherwise the operation is about an account, and the caller names a provider."""
    default: str = ""
    """The model if a JSON body names none, as documented for the operation."""
    needs: tuple[str, ...] = ()
    """Members that every provider requires."""
    bytes: bool = False
    """Whether the answer may be something other than JSON or events: audio, subtitles, the content of a file."""
    unit: str = ""
    """The unit that most providers bill if their answers do not count tokens."""
    output: str = "output"
    """The bucket of the output tokens."""
    free: bool = False
    """Whether the operation is free of charge."""


_ROWS = (
    Operation("rerank", "/v1/rerank", "json", needs=("query", "documents"), unit="searches"),
    Operation("moderations", "/v1/moderations", "json", default="omni-moderation-latest", needs=("input",)),
    Operation("images", "/v1/images/generations", "json", needs=("prompt",), unit="images", output="image_output"),
    Operation("image_edits", "/v1/images/edits", "form", unit="images", output="image_output"),
    Operation("image_variations", "/v1/images/variations", "form", unit="images", output="image_output"),
    Operation(
        *("speech", "/v1/audio/speech", "json"),
        needs=("input",),
        bytes=True,
        unit="characters",
        output="audio_output",
    ),
    Operation("transcriptions", "/v1/audio/transcriptions", "form", bytes=True, unit="seconds"),
    Operation("translations", "/v1/audio/translations", "form", bytes=True, unit="seconds"),
    Operation("files", "/v1/files", "any", model=False, bytes=True, free=True),
    Operation("batches", "/v1/batches", "any", model=False, bytes=True, unit="requests in the batch"),
    Operation("message_batches", "/v1/messages/batches", "any", model=False, bytes=True, unit="requests in the batch"),
    Operation("fine_tuning", "/v1/fine_tuning/jobs", "any", model=False, bytes=True, unit="training tokens"),
)

OPERATIONS: Mapping[str, Operation] = {row.name: row for row in _ROWS}
"""The operations by name."""
