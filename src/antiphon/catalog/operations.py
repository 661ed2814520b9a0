"""The operations that go through unread: where callers find each, what its body is, where it names its model.

A row is all that one of them needs. Which provider has it, and at which path there, is in the providers' rows.
"""

from collections.abc import Mapping
from typing import Literal

import msgspec


class Operation(msgspec.Struct, frozen=True):
    """One row. ``path`` is where callers find it, below the address of the gateway."""

    name: str
    path: str
    body: Literal["json", "form", "any"]
    """``form``: multipart/form-data, streamed up. ``any``: whatever the provider takes."""
    model: bool = True
    """The body names a model; otherwise the operation is of an account, and the caller names a provider."""
    default: str = ""
    """The model where a JSON body names none, as the operation's documentation has it."""
    needs: tuple[str, ...] = ()
    """Members without which no provider can do anything."""
    bytes: bool = False
    """Its answer may be something else than JSON or events: audio, subtitles, the content of a file."""
    unit: str = ""
    """What most providers bill by, where their answers do not count tokens."""
    output: str = "output"
    """The bucket of the tokens that come out."""
    free: bool = False
    """Nothing is billed for it."""


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
"""Each by its name."""
