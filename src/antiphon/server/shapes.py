"""Which wire an address belongs to: its errors have that wire's shape, whatever the request was."""

from antiphon.wires import Wire, wire_of
from antiphon.wires.gemini.address import METHODS

_PREFIXES = (
    (b"/v1/messages", "messages"),
    (b"/v1/responses", "responses"),
    (b"/v1beta/", "generate"),
    (b"/model/", "converse"),
)
_GEMINI_METHODS = (
    b":generateContent",
    b":streamGenerateContent",
    b":countTokens",
    b":embedContent",
    b":batchEmbedContents",
)


def shape_of(path: bytes) -> Wire:
    """Return the wire whose clients call this raw path; OpenAI's chat where no other claims it."""
    for prefix, operation in _PREFIXES:
        if path.startswith(prefix):
            return wire_of(operation)
    if path.startswith(b"/v1/models/") and path.endswith(_GEMINI_METHODS):
        return wire_of("generate")
    return wire_of("chat")
