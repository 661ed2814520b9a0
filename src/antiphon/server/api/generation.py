"""The handlers of operations whose body is read: generation, embeddings, token counting."""

from urllib.parse import unquote_to_bytes

from antiphon.errors import NotFound
from antiphon.server.request import Handler, Request
from antiphon.wires.gemini.address import read_address

_BEDROCK = {
    b"converse": ("converse", False),
    b"converse-stream": ("converse", True),
    b"count-tokens": ("bedrock_count_tokens", False),
}
"""Last part of a Bedrock path to its operation and whether the answer is a stream."""


def make_handler(operation: str) -> Handler:
    """Return the handler of an operation that names its model in the body."""

    async def handle(request: Request) -> None:
        body = await request.read_body()
        await request.send_answer(await request.ask(operation, body))

    return handle


async def handle_gemini(request: Request) -> None:
    """POST /v1beta/{address}; the path names the model and the method."""
    query = request.exchange.head.query.decode("latin-1")
    address = read_address(request.argument.decode("latin-1"), query)
    body = await request.read_body()
    await request.send_answer(
        await request.ask(address.operation, body, model=address.model, stream=address.stream, forward_headers=False)
    )


async def handle_gemini_model(request: Request) -> None:
    """POST /v1beta/models/{model}:{method}."""
    request.argument = b"models/" + request.argument
    await handle_gemini(request)


async def handle_bedrock(request: Request) -> None:
    """POST /model/{modelId}/{method}."""
    name, _, method = request.argument.rpartition(b"/")
    if method not in _BEDROCK or not name or b"/" in name:
        known = ", ".join(sorted(each.decode() for each in _BEDROCK))
        raise NotFound(f"There is nothing here; expected /model/{{modelId}}/ with one of: {known}.")
    operation, stream = _BEDROCK[method]
    model = unquote_to_bytes(name).decode("utf-8", "replace")
    body = await request.read_body()
    await request.send_answer(await request.ask(operation, body, model=model, stream=stream, forward_headers=False))
