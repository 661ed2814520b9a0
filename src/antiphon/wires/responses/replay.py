"""A kept response, told again as the stream it was or would have been (API reference, "Get a model response": stream).

The events come in the order that the writer gives them, so that a response of ours has the numbers it had the first
time: ``cuts``, the lengths of the texts of the deltas then, are all that has to be known beside the response.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from antiphon.wires.responses.errors import raised
from antiphon.wires.responses.item_builders import TAIL, TEXT_TAIL, Frames, delta_head

_EVENTS = {
    "completed": "response.completed",
    "failed": "response.failed",
    "incomplete": "response.incomplete",
    # No event has this name; a response that was cancelled is one that did not come to its end.
    "cancelled": "response.incomplete",
}
_UNFINISHED = frozenset(("queued", "in_progress"))
_NOT_YET: dict[str, Any] = {
    "output": [],
    "usage": None,
    "error": None,
    "incomplete_details": None,
    "completed_at": None,
}


def replay_events(response: dict[str, Any], cuts: Iterable[int] = (), *, after: int = -1, end: int = 0) -> list[bytes]:
    """Return the frames of a response that has ended, beginning with the first whose number is above ``after``.

    ``end`` is the number that its end had the first time, where more was told then than is kept.
    """
    told = list(_Telling(cuts).frames(response))
    frames = Frames(max(len(told), end))
    first = frames.number
    last = list(write_last_frames(response, frames))
    return told[after + 1 :] + last[max(0, after + 1 - first) :]


def write_first_frame(response: dict[str, Any]) -> bytes:
    """Return the first frame of a response's stream, numbered 0."""
    return _created(response, Frames())


def write_last_frames(response: dict[str, Any], frames: Frames) -> Iterator[bytes]:
    """Yield what ends a response's stream; a failed one says so in a way that clients raise."""
    if response.get("status") == "failed":
        error = response.get("error")
        error = error if type(error) is dict else {"message": error}
        yield raised(error.get("code"), str(error.get("message")), frames)
    yield frames.frame(_EVENTS.get(_text(response.get("status")), "response.completed"), {"response": response})


def is_unfinished(response: dict[str, Any]) -> bool:
    """Whether a response has not ended yet."""
    return _text(response.get("status")) in _UNFINISHED


def _created(response: dict[str, Any], frames: Frames) -> bytes:
    status = "queued" if response.get("background") else "in_progress"
    return frames.frame("response.created", {"response": {**response, **_NOT_YET, "status": status}})


def _objects(value: Any) -> list[dict[str, Any]]:
    """Return the objects of a list; what a provider of this wire put there otherwise has no events."""
    return [each for each in value if type(each) is dict] if type(value) is list else []


def _text(value: Any) -> str:
    return value if type(value) is str else ""


class _Telling:
    """One telling of one response."""

    def __init__(self, cuts: Iterable[int]) -> None:
        self._frames = Frames()
        self._cuts = iter(cuts)

    def frames(self, response: dict[str, Any]) -> Iterator[bytes]:
        frame = self._frames.frame
        yield _created(response, self._frames)
        begun = {**response, **_NOT_YET, "status": "in_progress"}
        yield frame("response.in_progress", {"response": begun})
        for index, item in enumerate(_objects(response.get("output"))):
            place = {"item_id": item.get("id"), "output_index": index}
            blank, tell = _KINDS.get(_text(item.get("type")), ({}, _Telling._nothing))
            added = {**item, **blank, **({"status": "in_progress"} if "status" in item else {})}
            added.pop("encrypted_content", None)  # which is known when the reasoning is over
            yield frame("response.output_item.added", {"output_index": index, "item": added})
            yield from tell(self, item, place)
            if response.get("status") not in ("failed", "cancelled") or item.get("status") != "incomplete":
                yield frame("response.output_item.done", {"output_index": index, "item": item})

    def _message(self, item: dict[str, Any], place: dict[str, Any]) -> Iterator[bytes]:
        for index, part in enumerate(_objects(item.get("content"))):
            yield from self._part({**place, "content_index": index}, part)

    def _part(self, place: dict[str, Any], part: dict[str, Any]) -> Iterator[bytes]:
        frame = self._frames.frame
        name, kind, tail, empty = _PARTS.get(_text(part.get("type")), ("text", "", TAIL, {}))
        yield frame("response.content_part.added", {**place, "part": {**part, **empty}})
        if kind:
            text = _text(part.get(name))
            yield from self._deltas(f"response.{kind}.delta", place, text, tail)
            for number, annotation in enumerate(_objects(part.get("annotations"))):
                members = {**place, "annotation_index": number, "annotation": annotation}
                yield frame("response.output_text.annotation.added", members)
            logprobs = {"logprobs": part.get("logprobs") or []} if tail is TEXT_TAIL else {}
            yield frame(f"response.{kind}.done", {**place, name: text, **logprobs})
        yield frame("response.content_part.done", {**place, "part": part})

    def _reasoning(self, item: dict[str, Any], place: dict[str, Any]) -> Iterator[bytes]:
        frame, kind = self._frames.frame, "response.reasoning_summary_text"
        for index, part in enumerate(_objects(item.get("summary"))):
            at, text = {**place, "summary_index": index}, _text(part.get("text"))
            yield frame("response.reasoning_summary_part.added", {**at, "part": {**part, "text": ""}})
            yield from self._deltas(f"{kind}.delta", at, text)
            yield frame(f"{kind}.done", {**at, "text": text})
            yield frame("response.reasoning_summary_part.done", {**at, "part": part})
        yield from self._message(item, place)

    def _call(self, item: dict[str, Any], place: dict[str, Any]) -> Iterator[bytes]:
        arguments = _text(item.get("arguments"))
        yield from self._deltas("response.function_call_arguments.delta", place, arguments)
        members = {**place, "name": item.get("name"), "arguments": arguments}
        yield self._frames.frame("response.function_call_arguments.done", members)

    def _custom(self, item: dict[str, Any], place: dict[str, Any]) -> Iterator[bytes]:
        text = _text(item.get("input"))
        yield from self._deltas("response.custom_tool_call_input.delta", place, text)
        yield self._frames.frame("response.custom_tool_call_input.done", {**place, "input": text})

    def _nothing(self, item: dict[str, Any], place: dict[str, Any]) -> Iterator[bytes]:
        return iter(())

    def _deltas(self, kind: str, place: dict[str, Any], text: str, tail: bytes = TAIL) -> Iterator[bytes]:
        head, at = delta_head(kind, place), 0
        while at < len(text):
            size = next(self._cuts, -1)
            if size < 0 or at + size > len(text):  # nobody noted them, or not of this response
                self._cuts, size = iter(()), len(text) - at
            yield self._frames.delta(head, text[at : at + size], tail)
            at += size


_PARTS: dict[str, tuple[str, str, bytes, dict[str, Any]]] = {
    "output_text": ("text", "output_text", TEXT_TAIL, {"text": "", "annotations": [], "logprobs": []}),
    "refusal": ("refusal", "refusal", TAIL, {"refusal": ""}),
    "reasoning_text": ("text", "reasoning_text", TAIL, {"text": ""}),
}
"""Type of a content to the member that is its text, its events' name, what follows the text, what it begins as."""
_KINDS: dict[str, Any] = {
    "message": ({"content": []}, _Telling._message),
    "reasoning": ({"summary": []}, _Telling._reasoning),
    "function_call": ({"arguments": ""}, _Telling._call),
    "custom_tool_call": ({"input": ""}, _Telling._custom),
    "image_generation_call": ({"result": None}, _Telling._nothing),
}
"""Type of an item to what it begins as, and what is told of it."""
