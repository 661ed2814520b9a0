"""The OpenAI Responses wire.

What belongs here: reading, checking, changing and writing the requests, response objects and stream events of
POST /v1/responses, and the pure part of conversations by ``previous_response_id``. What does not: the store of those
conversations, OpenAI's chat wire, and facts about other providers of this wire.
"""

from antiphon.wires.responses.codec import ResponsesCodec
from antiphon.wires.responses.history import History, Turn
from antiphon.wires.responses.passthrough import Responses

__all__ = ["History", "Responses", "ResponsesCodec", "Turn"]
