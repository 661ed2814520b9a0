"""The OpenAI Responses wire.

This package reads, checks, changes and writes the requests, response objects and stream events of POST /v1/responses.
It has the pure part of conversations by ``previous_response_id``. The store of those conversations, OpenAI's chat wire,
and facts about other providers of this wire do not belong here.
"""

from antiphon.wires.responses.codec import ResponsesCodec
from antiphon.wires.responses.history import History, Turn
from antiphon.wires.responses.passthrough import Responses

__all__ = ["History", "Responses", "ResponsesCodec", "Turn"]
