"""countTokens, to and from other wires (API reference, "models.countTokens").

The Gemini API counts fields other than the contents only inside a complete generation request. Vertex AI has no such
member and takes the fields directly (quirk ``bare_token_count``).
"""

from typing import Any

from antiphon.types import Target
from antiphon.wires.gemini.codec import Gemini
from antiphon.wires.gemini.token_count import find_request
from antiphon.wires.translation.token_count import TokenCountCodec

_BARE = frozenset(("contents", "systemInstruction", "tools", "generationConfig"))


class CountTokensCodec(TokenCountCodec):
    """See :class:`translation.token_count.TokenCountCodec`."""

    codec = Gemini
    request_fields = _BARE | {"toolConfig", "cachedContent"}
    count_field = "totalTokens"

    def read_request(self, document: dict[str, Any], model: str) -> Any:
        return super().read_request(find_request(document), model)

    def wrap_request(self, body: dict[str, Any], target: Target) -> dict[str, Any]:
        if "bare_token_count" in target.quirks:
            return {name: value for name, value in body.items() if name in _BARE}
        return {"generateContentRequest": {"model": f"models/{target.model}", **body}}
