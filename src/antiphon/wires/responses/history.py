"""Conversations by ``previous_response_id``, for targets that keep none: what to store, and what to send.

What belongs here: the pure part. What does not: the store. The store keeps one row for each answered request that may
be stored (:func:`may_store`): the bytes of its :class:`Turn` under the response's id and the id of the key that asked,
with ``previous`` beside it. It finds the rows from one turn back to the first, oldest first. Call
``history.join(document)`` before a request is read or sent, and ``history.make_turn(document, response)`` after it is
answered.
"""

from collections.abc import Container, Iterable
from typing import Any

import msgspec

from antiphon.clock import make_id
from antiphon.errors import BadRequest, NotFound
from antiphon.wires.json_text import encode_json

PAGE_DEFAULT = 20
PAGE_LIMIT = 100
PROVIDER_STATE_FIELDS = {
    "conversation": "conversations are kept by OpenAI only; use previous_response_id",
    "prompt": "prompt templates are kept by OpenAI only; send the text itself",
}
"""Fields that name something in a provider's store, and what to do where there is none."""
_PREFIXES = {
    "message": "msg",
    "reasoning": "rs",
    "function_call": "fc",
    "function_call_output": "fco",
    "custom_tool_call": "ctc",
    "custom_tool_call_output": "ctco",
}


class JoinedInput(list[dict[str, Any]]):
    """Input items that hold every earlier turn; ``previous`` is the response they follow."""

    def __init__(self, items: Iterable[dict[str, Any]], previous: str) -> None:
        super().__init__(items)
        self.previous = previous


class Turn(msgspec.Struct, frozen=True, eq=False, omit_defaults=True):
    """One answered request: the items it added, and the response object as it was answered.

    ``cuts`` and ``end`` describe its stream, if it had one
    (:func:`antiphon.wires.responses.replay.replay_events`).
    """

    id: str
    previous: str
    input: list[dict[str, Any]]
    response: dict[str, Any]
    cuts: tuple[int, ...] = ()
    end: int = 0

    @classmethod
    def decode(cls, data: bytes) -> "Turn":
        """Return a turn out of what :meth:`encode` gave."""
        return _decode(data)

    def encode(self) -> bytes:
        """Return the bytes to store."""
        return encode_json(self)

    def list_items(self) -> list[dict[str, Any]]:
        """Return what came in, then what was answered."""
        return [*self.input, *self.response["output"]]


_decode = msgspec.json.Decoder(Turn).decode


class ProviderStored(msgspec.Struct, frozen=True, tag_field="kept", tag="elsewhere"):
    """Stands for a response that its provider keeps: ``target`` is who answered it, by its name.

    ``settled`` says that what was used for it is in the ledger, which is so once it has ended.
    """

    target: str
    settled: bool = True

    @classmethod
    def try_decode(cls, data: bytes) -> "ProviderStored | None":
        """Return what :meth:`encode` gave, ``None`` for a turn."""
        return _decode_place(data) if data.startswith(_PLACE) else None

    def encode(self) -> bytes:
        """Return the bytes to store."""
        return msgspec.json.encode(self)


_PLACE = b'{"kept":"elsewhere"'
_decode_place = msgspec.json.Decoder(ProviderStored).decode


def may_store(document: dict[str, Any]) -> bool:
    """Whether a caller lets its answer be stored, which is so unless it says otherwise."""
    return document.get("store") is not False


def can_store_responses(operations: Container[str], quirks: Container[str]) -> bool:
    """Return whether a target stores the responses that it gives."""
    return "responses" in operations and "no_stored_responses" not in quirks


class History:
    """Earlier turns of one conversation, oldest first."""

    def __init__(self, turns: Iterable[Turn] = (), others: Iterable[Turn] = ()) -> None:
        self._turns = tuple(turns)
        # Turns of other conversations, whose items can be referred to.
        turns = (*others, *self._turns)
        self._known = {item["id"]: item for turn in turns for item in turn.list_items() if "id" in item}

    def list_items(self) -> list[dict[str, Any]]:
        """Return every item that was said: for each turn what came in, then what was answered."""
        return [item for turn in self._turns for item in turn.list_items()]

    def list_missing(self, document: dict[str, Any]) -> list[str]:
        """Return the ids that a request's input refers to and that are of no item here."""
        given = document.get("input")
        items = given if isinstance(given, list) else ()
        wanted = [item.get("id") or "" for item in items if isinstance(item, dict) and _refers(item)]
        return [item_id for item_id in wanted if isinstance(item_id, str) and item_id not in self._known]

    def join(self, document: dict[str, Any]) -> dict[str, Any]:
        """Return the request with the earlier turns in its ``input``, so that it needs no state.

        Raises :class:`BadRequest` for a reference to an item that is not among them.
        """
        joined = JoinedInput(self.list_items() + self._given(document), document.get("previous_response_id") or "")
        return {**{name: value for name, value in document.items() if name != "previous_response_id"}, "input": joined}

    def make_turn(self, document: dict[str, Any], response: bytes, cuts: Iterable[int] = (), end: int = 0) -> Turn:
        """Return what to store of a caller's request, as it was before it was joined, and of its response object.

        Its items are as they will be listed: each with a type and an id.
        """
        answer = msgspec.json.decode(response)
        items = [_named(item) for item in self._given(document)]
        return Turn(answer["id"], document.get("previous_response_id") or "", items, answer, tuple(cuts), end)

    def _given(self, document: dict[str, Any]) -> list[dict[str, Any]]:
        return [_resolved(item, self._known, f"input[{i}]") for i, item in enumerate(_plain(document.get("input")))]

    def write_page(self, *, after: str = "", limit: int = PAGE_DEFAULT, order: str = "desc") -> bytes:
        """Return a page of what the last turn had as input (GET /v1/responses/{id}/input_items).

        Raises :class:`BadRequest` for an order, a limit or an ``after`` that is none.
        """
        if order not in ("asc", "desc"):
            raise BadRequest("`order` must be asc or desc.", param="order")
        if not 1 <= limit <= PAGE_LIMIT:
            raise BadRequest(f"`limit` must be from 1 to {PAGE_LIMIT}.", param="limit")
        items = History(self._turns[:-1]).list_items() + (self._turns[-1].input if self._turns else [])
        if order == "desc":
            items.reverse()
        start = _after(items, after) if after else 0
        shown = items[start : start + limit]
        page = {
            "object": "list",
            "data": shown,
            "first_id": shown[0]["id"] if shown else None,
            "last_id": shown[-1]["id"] if shown else None,
            "has_more": start + limit < len(items),
        }
        return encode_json(page)


def _after(items: list[dict[str, Any]], after: str) -> int:
    for i, item in enumerate(items):
        if item["id"] == after:
            return i + 1
    raise BadRequest(f"There is no item with id {after!r} among the input items.", param="after")


def _plain(given: Any) -> list[dict[str, Any]]:
    if isinstance(given, str):
        content = [{"type": "input_text", "text": given}]
        return [{"type": "message", "role": "user", "content": content}]
    return list(given or ())


def _named(item: dict[str, Any]) -> dict[str, Any]:
    kind = item.get("type") or "message"
    item_id = item.get("id") or make_id(_PREFIXES.get(kind, "item"))
    named = {**item, "id": item_id, "type": kind}
    if isinstance(item.get("content"), str) and kind == "message":
        form = "output_text" if item.get("role") == "assistant" else "input_text"
        named["content"] = [{"type": form, "text": item["content"]}]
    return named


def _refers(item: dict[str, Any]) -> bool:
    return item.get("type") == "item_reference" or ("id" in item and "type" not in item and "role" not in item)


def _resolved(item: dict[str, Any], known: dict[str, dict[str, Any]], at: str) -> dict[str, Any]:
    if not _refers(item):
        return item
    item_id = item.get("id")
    found = known.get(item_id) if isinstance(item_id, str) else None
    if found is None:
        raise BadRequest(f"Item with id {item.get('id')!r} not found.", param=at, code="item_not_found")
    return found


def make_previous_not_found(response_id: str) -> BadRequest:
    """Return the error for a ``previous_response_id`` that is not stored for this caller."""
    return BadRequest(
        f"Previous response with id {response_id!r} not found.",
        param="previous_response_id",
        code="previous_response_not_found",
    )


def make_previous_not_completed(response_id: str, status: str) -> BadRequest:
    """Return the error for a ``previous_response_id`` that came to no answer that could be followed."""
    return BadRequest(
        f"The response {response_id!r} is {status}; go on from one that is completed or incomplete.",
        param="previous_response_id",
        code="previous_response_not_completed",
    )


def make_response_not_found(response_id: str) -> NotFound:
    """Return the error for a response that is not stored for this caller."""
    return NotFound(f"Response with id {response_id!r} not found.")


def write_deletion(response_id: str) -> bytes:
    """Return what answers DELETE /v1/responses/{id}."""
    return msgspec.json.encode({"id": response_id, "object": "response", "deleted": True})
