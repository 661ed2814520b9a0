"""POST /v1/messages/count_tokens as a codec (API reference, "Count tokens in a Message")."""

from antiphon.wires.anthropic.codec import AnthropicCodec
from antiphon.wires.translation.token_counts import Counter


class CountTokensCodec(Counter):
    """See :class:`translation.token_counts.Counter`."""

    codec = AnthropicCodec
    takes = frozenset(
        ("model", "messages", "system", "tools", "tool_choice", "thinking", "output_config", "cache_control",
         "context_management", "mcp_servers", "speed")
    )  # fmt: skip
    holds = "input_tokens"
