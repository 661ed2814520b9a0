"""The neutral form of embeddings: every wire for embeddings is read into it and written from it."""

from base64 import b64decode, b64encode
from collections.abc import Sequence
from struct import error as StructError
from struct import pack, unpack
from typing import Any, TypeAlias, TypeVar

import msgspec

from antiphon.errors import BadAnswer, BadRequest
from antiphon.types import Target

Input: TypeAlias = str | tuple[int, ...]
"""A text, or the ids of its tokens."""
Vector: TypeAlias = list[float]
T = TypeVar("T")

INPUT_LIMIT = 2048
"""Inputs of one call (OpenAI's API reference, "Create embeddings"); a target that takes fewer gets several requests."""
_FLOAT = 4


class EmbedRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The inputs to embed, and how to embed them; ``model`` is the target's name of the model."""

    model: str
    inputs: tuple[Input, ...]
    dimensions: int | None = None
    base64: bool = False
    """The caller wants vectors as base64 of 32-bit floats, little-endian."""
    task: str = ""
    """The purpose of the vectors: a key of :data:`TASKS`, or ``""``."""
    task_field: str = ""
    """The caller's field that named the task."""
    extras: tuple[str, ...] = ()
    """The names of the caller's fields that no other wire has; they only tune the answer."""

    def get_texts(self, target: Target) -> list[str]:
        """Return the inputs for a wire that takes text only; raises :class:`BadRequest` for token ids."""
        texts = [item for item in self.inputs if isinstance(item, str)]
        if len(texts) < len(self.inputs):
            raise BadRequest(
                f"`input` holds token ids, and {target.name} takes text only: its tokens are others. Send the text.",
                param="input",
                code="tokens_not_supported",
            )
        return texts

    def list_dropped(self) -> tuple[str, ...]:
        """Return the fields that a wire without tasks leaves out."""
        return (*self.extras, self.task_field) if self.task_field else self.extras


TASKS = {
    "query": ("query", "search_query", "retrieval_query", "retrieval.query"),
    "document": ("document", "passage", "search_document", "retrieval_document", "retrieval.passage"),
    "similarity": ("similarity", "semantic_similarity", "text-matching"),
    "classification": ("classification",),
    "clustering": ("clustering", "separation"),
    "question": ("question_answering",),
    "fact": ("fact_verification",),
    "code": ("code_retrieval_query", "code.query"),
}
"""The purposes of vectors, and the names that wires and providers use for them, in lower case."""

_TASK_NAMES = {name: task for task, names in TASKS.items() for name in names}


def read_task(name: Any) -> str:
    """Return the task for a wire's or a provider's name of it, or ``""``."""
    return _TASK_NAMES.get(name.lower(), "") if isinstance(name, str) else ""


def split_inputs(inputs: Sequence[T], limit: int) -> list[Sequence[T]]:
    """Return the inputs in batches of at most ``limit``, in order."""
    return [inputs[start : start + limit] for start in range(0, len(inputs), limit)]


def encode_vector(vector: Vector) -> str:
    """Return a vector as OpenAI's clients read it: base64 of 32-bit floats, little-endian.

    Raises :class:`BadAnswer` for a number beyond 32 bits.
    """
    try:
        return b64encode(pack(f"<{len(vector)}f", *vector)).decode()
    except OverflowError:
        raise BadAnswer("The provider's answer holds a number beyond 32-bit floats.") from None


def decode_vector(text: str) -> Vector:
    """Return the vector that :func:`encode_vector` wrote; raises :class:`BadAnswer`."""
    try:
        data = b64decode(text, validate=True)
        return list(unpack(f"<{len(data) // _FLOAT}f", data))
    except (ValueError, StructError):
        raise BadAnswer("The provider's answer holds an embedding that is no base64 of 32-bit floats.") from None


def check_vector_count(vectors: list[Vector], inputs: int) -> list[Vector]:
    """Return the vectors if there is one for each input; raises :class:`BadAnswer` otherwise."""
    if len(vectors) != inputs:
        raise BadAnswer(f"The provider was given {inputs} inputs and answered with {len(vectors)} embeddings.")
    return vectors
