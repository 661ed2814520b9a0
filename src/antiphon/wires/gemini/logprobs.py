"""Log probabilities: ``logprobsResult`` and the token objects of OpenAI's chat, which are the neutral form."""

from collections.abc import Sequence
from typing import Any

from antiphon.wires.gemini.reply_types import LogprobsCandidate, LogprobsResult


def read_logprobs(result: LogprobsResult | None) -> list[dict[str, Any]]:
    """Return token objects: token, logprob, bytes, top_logprobs."""
    if result is None:
        return []
    tops = result.top_candidates or []
    tokens = []
    for index, chosen in enumerate(result.chosen_candidates or ()):
        top = tops[index].candidates if index < len(tops) else None
        tokens.append({**_read_token(chosen), "top_logprobs": [_read_token(candidate) for candidate in top or ()]})
    return tokens


def _read_token(candidate: LogprobsCandidate) -> dict[str, Any]:
    token = candidate.token or ""
    return {
        "token": token,
        "logprob": candidate.log_probability or 0.0,
        "bytes": list(token.encode("utf-8", "replace")),
    }


def write_logprobs(tokens: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return a ``logprobsResult``."""
    return {
        "chosenCandidates": [_write_token(token) for token in tokens],
        "topCandidates": [
            {"candidates": [_write_token(top) for top in token.get("top_logprobs") or ()]} for token in tokens
        ],
    }


def _write_token(token: dict[str, Any]) -> dict[str, Any]:
    return {"token": token.get("token", ""), "logProbability": token.get("logprob", 0.0)}
