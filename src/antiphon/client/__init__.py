"""The SDK: one surface to call models, in this process or at a server, asynchronous and with a synchronous twin.

What belongs here: turning arguments into a request, answers into replies and events, failures into the error tree,
and the life of a client. What does not: how a call is routed, tried, timed and recorded (``engine``), and how bytes
reach a provider (``transport``). Importing this room costs ``asyncio``; making a client loads the engine.
"""

from antiphon.client.aio import AsyncAntiphon, AsyncStream
from antiphon.client.reply import Embeddings, Event, ModelCard, Reply
from antiphon.client.sync import Antiphon, Stream
from antiphon.client.view import View

__all__ = ["Antiphon", "AsyncAntiphon", "AsyncStream", "Embeddings", "Event", "ModelCard", "Reply", "Stream", "View"]
