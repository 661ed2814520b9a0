"""A stored response written as a stream again (API reference, "Get a model response": stream).

The events have the order in which the stream writer writes them, so that each gets the same number as the first time.
Apart from the response, this only needs ``cuts``, the lengths of the texts of the deltas.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from antiphon.wires.responses.errors import write_error_event
from antiphon.wires.responses.finish import UNFINISHED
from antiphon.wires.responses.frames import TAIL, TEXT_TAIL, FrameWriter, write_delta_head

_TERMINAL_EVENTS = {
    "completed": "response.completed",
    "failed": "response.failed",
    "incomplete": "response.incomplete",
    "cancelled": "response.incomplete",  # no event is named after this status
}
_UNFINISHED_FIELDS: dict[str, Any] = {
    "output": [],
    "usage": None,
    "error": None,
    "incomplete_details": None,
    "completed_at": None,
}


def replay_events(response: dict[str, Any], cuts: Iterable[int] = (), *, after: int = -1, end: int = 0) -> list[bytes]:
    """Return the frames of a response that has ended, from the first one whose number is above ``after``.

    ``end`` is the original number of the first of its last events. It matters if the original stream had more events
    than the replay has.
    """
    frames = list(_Replay(cuts).write(response))
    writer = FrameWriter(max(len(frames), end))
    first = writer.number
    last_frames = list(write_last_frames(response, writer))
    return frames[after + 1 :] + last_frames[max(0, after + 1 - first) :]


def write_first_frame(response: dict[str, Any]) -> bytes:
    """Return the first frame of a response's stream, numbered 0."""
    return _write_created(response, FrameWriter())


def write_last_frames(response: dict[str, Any], frames: FrameWriter) -> Iterator[bytes]:
    """Yield the frames that end a response's stream; a failed one begins with an event for which clients raise."""
    if response.get("status") == "failed":
        error = response.get("error")
        error = error if type(error) is dict else {"message": error}
        yield write_error_event(error.get("code"), str(error.get("message")), frames)
    kind = _TERMINAL_EVENTS.get(_get_text(response, "status"), "response.completed")
    yield frames.write(kind, {"response": response})


def is_unfinished(response: dict[str, Any]) -> bool:
    """Say whether a response has not ended yet."""
    return _get_text(response, "status") in UNFINISHED


def _write_created(response: dict[str, Any], frames: FrameWriter) -> bytes:
    status = "queued" if response.get("background") else "in_progress"
    return frames.write("response.created", {"response": {**response, **_UNFINISHED_FIELDS, "status": status}})


def _list_objects(value: Any) -> list[dict[str, Any]]:
    """Return the objects of a list; a provider's values of any other type have no events."""
    return [item for item in value if type(item) is dict] if type(value) is list else []


def _get_text(holder: dict[str, Any], name: str) -> str:
    value = holder.get(name)
    return value if type(value) is str else ""


class _Replay:
    """Writes all frames of one response but the last."""

    def __init__(self, cuts: Iterable[int]) -> None:
        self._frames = FrameWriter()
        self._cuts = iter(cuts)

    def write(self, response: dict[str, Any]) -> Iterator[bytes]:
        write = self._frames.write
        yield _write_created(response, self._frames)
        yield write("response.in_progress", {"response": {**response, **_UNFINISHED_FIELDS, "status": "in_progress"}})
        is_broken = response.get("status") in ("failed", "cancelled")
        for index, item in enumerate(_list_objects(response.get("output"))):
            location = {"item_id": item.get("id"), "output_index": index}
            blank, write_content = _ITEMS.get(_get_text(item, "type"), ({}, _Replay._write_nothing))
            new_item = {**item, **blank, **({"status": "in_progress"} if "status" in item else {})}
            new_item.pop("encrypted_content", None)  # known only when the reasoning has ended
            yield write("response.output_item.added", {"output_index": index, "item": new_item})
            yield from write_content(self, item, location)
            if not is_broken or item.get("status") != "incomplete":
                yield write("response.output_item.done", {"output_index": index, "item": item})

    def _write_message(self, item: dict[str, Any], location: dict[str, Any]) -> Iterator[bytes]:
        for index, part in enumerate(_list_objects(item.get("content"))):
            yield from self._write_part({**location, "content_index": index}, part)

    def _write_part(self, location: dict[str, Any], part: dict[str, Any]) -> Iterator[bytes]:
        write = self._frames.write
        name, kind, tail, blank = _CONTENTS.get(_get_text(part, "type"), ("text", "", TAIL, {}))
        yield write("response.content_part.added", {**location, "part": {**part, **blank}})
        if kind:
            text = _get_text(part, name)
            yield from self._write_deltas(f"response.{kind}.delta", location, text, tail)
            for number, annotation in enumerate(_list_objects(part.get("annotations"))):
                fields = {**location, "annotation_index": number, "annotation": annotation}
                yield write("response.output_text.annotation.added", fields)
            logprobs = {"logprobs": part.get("logprobs") or []} if tail is TEXT_TAIL else {}
            yield write(f"response.{kind}.done", {**location, name: text, **logprobs})
        yield write("response.content_part.done", {**location, "part": part})

    def _write_reasoning(self, item: dict[str, Any], location: dict[str, Any]) -> Iterator[bytes]:
        write, kind = self._frames.write, "response.reasoning_summary_text"
        for index, part in enumerate(_list_objects(item.get("summary"))):
            part_location, text = {**location, "summary_index": index}, _get_text(part, "text")
            yield write("response.reasoning_summary_part.added", {**part_location, "part": {**part, "text": ""}})
            yield from self._write_deltas(f"{kind}.delta", part_location, text)
            yield write(f"{kind}.done", {**part_location, "text": text})
            yield write("response.reasoning_summary_part.done", {**part_location, "part": part})
        yield from self._write_message(item, location)

    def _write_call(self, item: dict[str, Any], location: dict[str, Any]) -> Iterator[bytes]:
        arguments = _get_text(item, "arguments")
        yield from self._write_deltas("response.function_call_arguments.delta", location, arguments)
        fields = {**location, "name": item.get("name"), "arguments": arguments}
        yield self._frames.write("response.function_call_arguments.done", fields)

    def _write_custom_call(self, item: dict[str, Any], location: dict[str, Any]) -> Iterator[bytes]:
        text = _get_text(item, "input")
        yield from self._write_deltas("response.custom_tool_call_input.delta", location, text)
        yield self._frames.write("response.custom_tool_call_input.done", {**location, "input": text})

    def _write_nothing(self, item: dict[str, Any], location: dict[str, Any]) -> Iterator[bytes]:
        return iter(())

    def _write_deltas(self, kind: str, location: dict[str, Any], text: str, tail: bytes = TAIL) -> Iterator[bytes]:
        head, start = write_delta_head(kind, location), 0
        while start < len(text):
            size = next(self._cuts, -1)
            if size < 0 or start + size > len(text):  # there are no cuts, or they are not of this response
                self._cuts, size = iter(()), len(text) - start
            yield self._frames.write_delta(head, text[start : start + size], tail)
            start += size


_CONTENTS: dict[str, tuple[str, str, bytes, dict[str, Any]]] = {
    "output_text": ("text", "output_text", TEXT_TAIL, {"text": "", "annotations": [], "logprobs": []}),
    "refusal": ("refusal", "refusal", TAIL, {"refusal": ""}),
    "reasoning_text": ("text", "reasoning_text", TAIL, {"text": ""}),
}
"""Type of a content to the field of its text, the name in its events, the bytes after the text, its initial fields."""
_ITEMS: dict[str, Any] = {
    "message": ({"content": []}, _Replay._write_message),
    "reasoning": ({"summary": []}, _Replay._write_reasoning),
    "function_call": ({"arguments": ""}, _Replay._write_call),
    "custom_tool_call": ({"input": ""}, _Replay._write_custom_call),
    "image_generation_call": ({"result": None}, _Replay._write_nothing),
}
"""Type of an item to its initial fields and the method that writes its content."""
