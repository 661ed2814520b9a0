"""Embeddings in words of no wire: what every wire of that family is read into and written from, without I/O."""

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

MOST_INPUTS = 2048
"""Inputs of one call (OpenAI's API reference, "Create embeddings"); who takes fewer is asked several times."""
_FLOAT = 4


class EmbedRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be embedded, and how; ``model`` is the target's name for it."""

    model: str
    inputs: tuple[Input, ...]
    dimensions: int | None = None
    base64: bool = False
    """The caller wants vectors as base64 of 32-bit floats, lowest byte first."""
    task: str = ""
    """What the vectors are for, in the words of :data:`TASKS`."""
    task_field: str = ""
    """Where the caller said so."""
    extras: tuple[str, ...] = ()
    """Fields of the caller's that no other wire has, by name; they only tune."""

    def texts(self, target: Target) -> list[str]:
        """Return the inputs for a wire that takes text only; raises :class:`BadRequest` for token ids."""
        texts = [each for each in self.inputs if isinstance(each, str)]
        if len(texts) < len(self.inputs):
            raise BadRequest(
                f"`input` holds token ids, and {target.name} takes text only: its tokens are others. Send the text.",
                param="input",
                code="tokens_not_supported",
            )
        return texts

    def untold(self) -> tuple[str, ...]:
        """Return what a wire without a word for tasks leaves out."""
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
"""What vectors are for, and how wires and providers say it, in lower case."""

_WORDS = {word: task for task, words in TASKS.items() for word in words}


def read_task(word: Any) -> str:
    """Return the task that a wire's word means, or ``""`` for any other word."""
    return _WORDS.get(word.lower(), "") if isinstance(word, str) else ""


def split_inputs(inputs: Sequence[T], most: int) -> list[Sequence[T]]:
    """Return the inputs in order, at most ``most`` of them together."""
    return [inputs[start : start + most] for start in range(0, len(inputs), most)]


def encode_vector(vector: Vector) -> str:
    """Return a vector as clients of OpenAI read it: base64 of 32-bit floats, lowest byte first.

    Raises :class:`BadAnswer` for a number beyond 32 bits.
    """
    try:
        return b64encode(pack(f"<{len(vector)}f", *vector)).decode()
    except OverflowError:
        raise BadAnswer("The provider's answer holds a number beyond 32-bit floats.") from None


def decode_vector(text: str) -> Vector:
    """Return the vector in such a text; raises :class:`BadAnswer`."""
    try:
        data = b64decode(text, validate=True)
        return list(unpack(f"<{len(data) // _FLOAT}f", data))
    except (ValueError, StructError):
        raise BadAnswer("The provider's answer holds an embedding that is no base64 of 32-bit floats.") from None


def check_vector_count(vectors: list[Vector], asked: int) -> list[Vector]:
    """Return the vectors where there is one for each input; raises :class:`BadAnswer` otherwise."""
    if len(vectors) != asked:
        raise BadAnswer(f"The provider was given {asked} inputs and answered with {len(vectors)} embeddings.")
    return vectors
