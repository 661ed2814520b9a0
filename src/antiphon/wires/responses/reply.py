"""The response object: what is around the output items, read and written (API reference, "The response object")."""

from typing import Any

import msgspec

from antiphon.clock import make_id, read_time_us
from antiphon.errors import BadAnswer
from antiphon.types import Usage
from antiphon.wires.json_text import encode_json
from antiphon.wires.responses import usage as usages
from antiphon.wires.responses.output import Log, read_item, signed
from antiphon.wires.translation.neutral import Choice, Finish, FinishReason, Part, Refusal, Reply, Request, ToolCall

_PREFIX = "resp_"
_RAW = msgspec.Raw
_DEFAULTS: dict[str, Any] = {
    "background": False,
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "model": "",
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "prompt_cache_key": None,
    "reasoning": {"effort": None, "summary": None},
    "safety_identifier": None,
    "service_tier": "default",
    "store": True,
    "temperature": 1.0,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
    "top_p": 1.0,
    "truncation": "disabled",
    "user": None,
}
_INCOMPLETE: dict[str, str] = {"length": "max_output_tokens", "content_filter": "content_filter"}
_REASONS: dict[str, FinishReason] = {"max_output_tokens": "length", "content_filter": "content_filter"}
_ERROR_STATUS = {"server_error": 500, "rate_limit_exceeded": 429, "insufficient_quota": 429, "invalid_prompt": 400}


class Reported(msgspec.Struct):
    """An error as a response, or an ``error`` event, has it."""

    message: Any = None
    code: Any = None
    type: Any = None

    def words(self) -> str:
        return str(self.message or self.code or self.type or "an error without a message")

    def status(self) -> int:
        """Return the HTTP status that the code stands for, 0 where that is not known."""
        return _ERROR_STATUS.get(str(self.code), 0)


class Incomplete(msgspec.Struct):
    reason: str | None = None


class Answer(msgspec.Struct):
    """What is read of a response object, whole or in a stream's event."""

    id: str = ""
    model: str = ""
    status: str | None = None
    created_at: float | None = None
    output: list[msgspec.Raw] | None = None
    usage: msgspec.Raw = _RAW(b"null")
    error: Reported | str | None = None
    incomplete_details: Incomplete | None = None
    service_tier: Any = None
    object: Any = None
    message: Any = None

    def counted(self) -> Usage | None:
        """Return what it says that it used."""
        return usages.read(bytes(self.usage), self.service_tier, self.output)

    def problem(self) -> Reported | None:
        """Return the error that the answer reports, if it does."""
        if isinstance(self.error, str):
            return Reported(self.error)
        if self.error is not None or self.status == "failed":
            return self.error or Reported("the response failed")
        return Reported(self.message) if self.object == "error" else None


_decode = msgspec.json.Decoder(Answer).decode


_UNFINISHED = frozenset(("queued", "in_progress"))
"""What a response is until it is over: no answer yet for a caller who did not ask to wait for it elsewhere."""


def read_answer(body: bytes) -> Answer:
    """Return the members of a response object; raises :class:`BadAnswer` where it is none."""
    try:
        return _decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise BadAnswer(f"The provider's answer is not valid JSON of this wire: {excerpt(body)}") from None


def read_whole(body: bytes) -> Answer:
    """Return a whole answer; raises :class:`BadAnswer` where it reports an error or has no output."""
    answer = read_answer(body)
    if (problem := answer.problem()) is not None:
        raise reported(problem)
    if answer.output is None:
        raise BadAnswer(f"The provider answered without `output`: {excerpt(body)}")
    return answer


def reported(problem: Reported) -> BadAnswer:
    return BadAnswer(f"The provider reported an error: {problem.words()}", status=problem.status() or None)


def excerpt(body: bytes) -> str:
    text = body[:200].decode("utf-8", "replace")
    return repr(text) + ("…" if len(body) > 200 else "")


def read_reply(body: bytes) -> Reply:
    """See :meth:`translation.codec.Codec.read_reply`."""
    answer, log = read_whole(body), Log([])
    if answer.status in _UNFINISHED:
        raise BadAnswer(f"The provider answered with a response that is still {answer.status!r}.")
    parts = signed([found for raw in answer.output or () for found in read_item(bytes(raw), log)])
    finish = Finish(finish_reason(answer, _kinds(parts)))
    logprobs = {"content": log.tokens} if log.tokens else None
    usage = answer.counted()
    return Reply(
        id=answer.id,
        model=answer.model,
        choices=(Choice(parts, finish, logprobs),),
        usage=usage,
        created=int(answer.created_at or 0),
    )


def _kinds(parts: tuple[Part, ...]) -> set[type]:
    return {type(part) for part in parts}


def finish_reason(answer: Answer, kinds: set[type]) -> FinishReason:
    """Return why an answer ended; ``kinds`` are the types of its parts."""
    if answer.status == "incomplete":
        reason = answer.incomplete_details.reason if answer.incomplete_details else None
        return _REASONS.get(reason or "", "length")
    if ToolCall in kinds:
        return "tool_calls"
    return "refusal" if Refusal in kinds else "stop"


class Skeleton:
    """Everything of a response object but its state: made once for a request, repeated in every event that has it."""

    __slots__ = ("_created", "_rest", "id")

    def __init__(self, request: Request, reply_id: str, model: str, created: int = 0) -> None:
        self.id = reply_id if reply_id.startswith(_PREFIX) else make_id("resp")
        self._created = created or read_time_us() // 1_000_000
        echo = request.echo
        rest = {**_DEFAULTS, **echo, "model": model or request.model}
        for name in ("reasoning", "text"):
            rest[name] = {**_DEFAULTS[name], **echo.get(name, {})}
        self._rest = encode_json(rest)

    def item_id(self, prefix: str, index: int) -> str:
        """Return an id for the output item at ``index`` that no other response has."""
        return f"{prefix}_{self.id[len(_PREFIX) :]}{index:02x}"

    def write(
        self,
        status: str,
        output: list[bytes],
        usage: Usage | None = None,
        *,
        incomplete: dict[str, Any] | None = None,
        error: dict[str, Any] | None = None,
    ) -> bytes:
        """Return the object in a state; ``output`` is JSON of items."""
        state = {
            "id": self.id,
            "object": "response",
            "created_at": self._created,
            "status": status,
            "completed_at": read_time_us() // 1_000_000 if status == "completed" else None,
            "error": error,
            "incomplete_details": incomplete,
            "usage": usages.write(usage),
        }
        items = b",".join(output)
        return b'%b,"output":[%b],%b' % (msgspec.json.encode(state)[:-1], items, self._rest[1:])


def outcome(finish: Finish | None, refused: bool) -> tuple[str, dict[str, Any] | None]:
    """Return the status and ``incomplete_details`` for a finish; ``refused`` says that a refusal was written.

    An answer that was stopped by a classifier, without words of refusal, is what this wire calls filtered; a pause has
    no name here, and is incomplete without a reason.
    """
    reason = finish.reason if finish is not None else "stop"
    if reason in ("stop", "tool_calls") or (reason == "refusal" and refused):
        return "completed", None
    if reason == "pause":
        return "incomplete", None
    return "incomplete", {"reason": _INCOMPLETE.get(reason, "content_filter")}
