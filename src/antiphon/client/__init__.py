"""The SDK: one interface to call models, in this process or at a server, asynchronous and with a synchronous twin.

What belongs here: turning arguments into a request, answers into replies and events, errors of a server into the error
tree, and the life cycle of a client. What does not: routing, attempts, timing and recording of a call (``engine``), and
sending bytes to a provider (``transport``). Importing this room loads ``asyncio``; making a client loads the engine.
"""

from antiphon.client.async_client import AsyncAntiphon, AsyncStream
from antiphon.client.reply import Embeddings, Event, ModelCard, Reply
from antiphon.client.sync_client import Antiphon, Stream
from antiphon.client.view import View

__all__ = ["Antiphon", "AsyncAntiphon", "AsyncStream", "Embeddings", "Event", "ModelCard", "Reply", "Stream", "View"]
