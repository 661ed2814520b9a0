"""POST /v1/messages/count_tokens as a codec (API reference, "Count tokens in a Message")."""

from antiphon.wires.anthropic.codec import AnthropicCodec
from antiphon.wires.translation.token_count import TokenCountCodec


class CountTokensCodec(TokenCountCodec):
    """See :class:`translation.token_count.TokenCountCodec`."""

    codec = AnthropicCodec
    request_fields = frozenset(
        ("model", "messages", "system", "tools", "tool_choice", "thinking", "output_config", "cache_control",
         "context_management", "mcp_servers", "speed")
    )  # fmt: skip
    count_field = "input_tokens"
