"""Conversations by ``previous_response_id`` for targets that do not store responses: what to store, and what to send.

This is the pure part, without the store. For each answered request that may be stored (:func:`may_store`), the store
keeps one row: the bytes of its :class:`Turn` and ``previous``, under the response's id and the id of the caller's key.
It finds the rows from one turn back to the first, oldest first. Call ``history.join(document)`` before you read or send
a request, and ``history.make_turn(document, response)`` after it is answered.
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
"""Fields that refer to a provider's store, and the advice if no target has one."""
_ID_PREFIXES = {
    "message": "msg",
    "reasoning": "rs",
    "function_call": "fc",
    "function_call_output": "fco",
    "custom_tool_call": "ctc",
    "custom_tool_call_output": "ctco",
}


class JoinedInput(list[dict[str, Any]]):
    """Input items that include every earlier turn; ``previous`` is the response that they continue."""

    def __init__(self, items: Iterable[dict[str, Any]], previous: str) -> None:
        super().__init__(items)
        self.previous = previous


class Turn(msgspec.Struct, frozen=True, eq=False, omit_defaults=True):
    """One answered request: the items that it added, and the response object of its answer.

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
        """Return the turn that :meth:`encode` encoded."""
        return _decode_turn(data)

    def encode(self) -> bytes:
        """Return the bytes to store."""
        return encode_json(self)

    def list_items(self) -> list[dict[str, Any]]:
        """Return the input items, then the output items."""
        return [*self.input, *self.response["output"]]


_decode_turn = msgspec.json.Decoder(Turn).decode


class ProviderStored(msgspec.Struct, frozen=True, tag_field="kept", tag="elsewhere"):
    """A response that its provider stores; ``target`` is the name of the target that answered.

    ``settled`` says that its usage is in the ledger, where it is written when the response has ended.
    """

    target: str
    settled: bool = True

    @classmethod
    def try_decode(cls, data: bytes) -> "ProviderStored | None":
        """Return the value that :meth:`encode` encoded, ``None`` for a turn."""
        return _decode_provider_stored(data) if data.startswith(_PROVIDER_STORED) else None

    def encode(self) -> bytes:
        """Return the bytes to store."""
        return msgspec.json.encode(self)


_PROVIDER_STORED = b'{"kept":"elsewhere"'
_decode_provider_stored = msgspec.json.Decoder(ProviderStored).decode


def may_store(document: dict[str, Any]) -> bool:
    """Say whether a caller allows its answer to be stored, which is the default."""
    return document.get("store") is not False


def can_store_responses(operations: Container[str], quirks: Container[str]) -> bool:
    """Say whether a target stores its responses."""
    return "responses" in operations and "no_stored_responses" not in quirks


class History:
    """Earlier turns of one conversation, oldest first.

    ``others`` are turns of other conversations whose items a request may refer to.
    """

    def __init__(self, turns: Iterable[Turn] = (), others: Iterable[Turn] = ()) -> None:
        self._turns = tuple(turns)
        all_turns = (*others, *self._turns)
        self._items_by_id = {item["id"]: item for turn in all_turns for item in turn.list_items() if "id" in item}

    def list_items(self) -> list[dict[str, Any]]:
        """Return the items of every turn: its input, then its output."""
        return [item for turn in self._turns for item in turn.list_items()]

    def list_missing(self, document: dict[str, Any]) -> list[str]:
        """Return the ids of unknown items that a request's input refers to."""
        value = document.get("input")
        items = value if isinstance(value, list) else ()
        ids = [item.get("id") or "" for item in items if isinstance(item, dict) and _is_reference(item)]
        return [item_id for item_id in ids if isinstance(item_id, str) and item_id not in self._items_by_id]

    def join(self, document: dict[str, Any]) -> dict[str, Any]:
        """Return the request with the earlier turns in its ``input``, so that it needs no stored state.

        Raises :class:`BadRequest` for a reference to an unknown item.
        """
        items = JoinedInput(
            self.list_items() + self._resolve_input(document), document.get("previous_response_id") or ""
        )
        return {**{name: value for name, value in document.items() if name != "previous_response_id"}, "input": items}

    def make_turn(self, document: dict[str, Any], response: bytes, cuts: Iterable[int] = (), end: int = 0) -> Turn:
        """Return the turn to store for a caller's request, as it was before :meth:`join`, and its response object.

        Its items are complete for listing: each has a type and an id.
        """
        answer = msgspec.json.decode(response)
        items = [_complete_item(item) for item in self._resolve_input(document)]
        return Turn(answer["id"], document.get("previous_response_id") or "", items, answer, tuple(cuts), end)

    def _resolve_input(self, document: dict[str, Any]) -> list[dict[str, Any]]:
        items = _list_input_items(document.get("input"))
        return [self._resolve_item(item, f"input[{index}]") for index, item in enumerate(items)]

    def _resolve_item(self, item: dict[str, Any], path: str) -> dict[str, Any]:
        if not _is_reference(item):
            return item
        item_id = item.get("id")
        stored = self._items_by_id.get(item_id) if isinstance(item_id, str) else None
        if stored is None:
            raise BadRequest(f"Item with id {item_id!r} not found.", param=path, code="item_not_found")
        return stored

    def write_page(self, *, after: str = "", limit: int = PAGE_DEFAULT, order: str = "desc") -> bytes:
        """Return a page of the last turn's input (GET /v1/responses/{id}/input_items).

        Raises :class:`BadRequest` for an invalid order or limit, and for an unknown ``after``.
        """
        if order not in ("asc", "desc"):
            raise BadRequest("`order` must be asc or desc.", param="order")
        if not 1 <= limit <= PAGE_LIMIT:
            raise BadRequest(f"`limit` must be from 1 to {PAGE_LIMIT}.", param="limit")
        items = History(self._turns[:-1]).list_items() + (self._turns[-1].input if self._turns else [])
        if order == "desc":
            items.reverse()
        start = _get_index_after(items, after) if after else 0
        page_items = items[start : start + limit]
        page = {
            "object": "list",
            "data": page_items,
            "first_id": page_items[0]["id"] if page_items else None,
            "last_id": page_items[-1]["id"] if page_items else None,
            "has_more": start + limit < len(items),
        }
        return encode_json(page)


def _get_index_after(items: list[dict[str, Any]], after: str) -> int:
    for index, item in enumerate(items):
        if item["id"] == after:
            return index + 1
    raise BadRequest(f"There is no item with id {after!r} among the input items.", param="after")


def _list_input_items(value: Any) -> list[dict[str, Any]]:
    if isinstance(value, str):
        content = [{"type": "input_text", "text": value}]
        return [{"type": "message", "role": "user", "content": content}]
    return list(value or ())


def _complete_item(item: dict[str, Any]) -> dict[str, Any]:
    """Return an item with a type, an id, and its content as a list."""
    kind = item.get("type") or "message"
    item_id = item.get("id") or make_id(_ID_PREFIXES.get(kind, "item"))
    complete = {**item, "id": item_id, "type": kind}
    if isinstance(item.get("content"), str) and kind == "message":
        content_type = "output_text" if item.get("role") == "assistant" else "input_text"
        complete["content"] = [{"type": content_type, "text": item["content"]}]
    return complete


def _is_reference(item: dict[str, Any]) -> bool:
    return item.get("type") == "item_reference" or ("id" in item and "type" not in item and "role" not in item)


def make_previous_not_found(response_id: str) -> BadRequest:
    """Return the error for a ``previous_response_id`` that is not stored for this caller."""
    return BadRequest(
        f"Previous response with id {response_id!r} not found.",
        param="previous_response_id",
        code="previous_response_not_found",
    )


def make_previous_not_completed(response_id: str, status: str) -> BadRequest:
    """Return the error for a ``previous_response_id`` that has no answer which could be continued."""
    return BadRequest(
        f"The response {response_id!r} is {status}; continue from one that is completed or incomplete.",
        param="previous_response_id",
        code="previous_response_not_completed",
    )


def make_response_not_found(response_id: str) -> NotFound:
    """Return the error for a response that is not stored for this caller."""
    return NotFound(f"Response with id {response_id!r} not found.")


def write_deletion(response_id: str) -> bytes:
    """Return the answer to DELETE /v1/responses/{id}."""
    return msgspec.json.encode({"id": response_id, "object": "response", "deleted": True})
