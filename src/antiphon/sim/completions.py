"""Legacy text completions as OpenAI shapes them, made of what a simulated model said."""

from collections.abc import Iterator
from typing import Any

import msgspec

from antiphon.sim import text
from antiphon.sim.frames import Frames, interleaved
from antiphon.sim.speech import Envelope, Said

_encode = msgspec.json.encode
_LOGPROB = -0.125


def whole(said: list[Said], envelope: Envelope, usage: bytes, logprobs: bool) -> bytes:
    """Return a ``text_completion`` object; ``usage`` is JSON text, empty for none."""
    choices = [
        {
            "text": choice.text,
            "index": index,
            "logprobs": _logprobs(list(choice.pieces()), 0) if logprobs else None,
            "finish_reason": choice.finish,
        }
        for index, choice in enumerate(said)
    ]
    return b'{"id":"%s","object":"text_completion","created":%d,"model":%s,"choices":%s%s%s}' % (
        envelope.id.encode(),
        envelope.created,
        envelope.model,
        _encode(choices),
        b',"usage":' + usage if usage else b"",
        envelope.extra,
    )


def frames(said: list[Said], envelope: Envelope, usage: bytes, logprobs: bool) -> Frames:
    """Return the events of a ``text_completion`` stream; ``usage`` is JSON text, empty where not asked for."""
    before = b'data: {"id":"%s","object":"text_completion","created":%d,"model":%s,"choices":[' % (
        envelope.id.encode(),
        envelope.created,
        envelope.model,
    )
    after = (b'],"usage":null' if usage else b"]") + envelope.extra + b"}\n\n"
    tokens = [_tokens(choice, before, index, after, logprobs) for index, choice in enumerate(said)]
    ends = [
        b'%s{"text":"","index":%d,"logprobs":null,"finish_reason":%s}%s'
        % (before, index, _encode(choice.finish), after)
        for index, choice in enumerate(said)
    ]
    last = before + b'],"usage":' + usage + envelope.extra + b"}\n\n" if usage else b""
    return Frames(b"", interleaved(tokens), b"".join(ends), last)


def _tokens(choice: Said, before: bytes, index: int, after: bytes, logprobs: bool) -> Iterator[bytes]:
    offset = 0
    for piece in choice.pieces():
        chances = _encode(_logprobs([piece], offset)) if logprobs else b"null"
        yield b'%s{"text":%s,"index":%d,"logprobs":%s,"finish_reason":null}%s' % (
            before,
            _encode(piece),
            index,
            chances,
            after,
        )
        offset += len(piece)


def _logprobs(pieces: list[str], offset: int) -> dict[str, Any]:
    return {
        "tokens": pieces,
        "token_logprobs": [_LOGPROB] * len(pieces),
        "top_logprobs": [{piece: _LOGPROB} for piece in pieces],
        "text_offset": [offset + text.PIECE * number for number in range(len(pieces))],
    }
