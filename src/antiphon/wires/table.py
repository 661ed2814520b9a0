"""The wire and the codec of each operation, as import strings that are imported when the operation is first called."""

from collections.abc import Iterable, Mapping
from functools import cache
from importlib import import_module
from typing import Any

from antiphon.wires.translation.codec import CallerCodec, Codec, ProviderCodec
from antiphon.wires.wire import Wire

WIRES = {
    "chat": "antiphon.wires.openai:Chat",
    "completions": "antiphon.wires.openai:Completions",
    "embeddings": "antiphon.wires.openai:Embeddings",
    "responses": "antiphon.wires.responses:Responses",
    "messages": "antiphon.wires.anthropic:Messages",
    "count_tokens": "antiphon.wires.anthropic:CountTokens",
    "generate": "antiphon.wires.gemini:Generate",
    "gemini_count_tokens": "antiphon.wires.gemini:CountTokens",
    "gemini_embed": "antiphon.wires.gemini:Embed",
    "gemini_embed_batch": "antiphon.wires.gemini:EmbedBatch",
    "converse": "antiphon.wires.bedrock:Converse",
    "input_tokens": "antiphon.wires.responses.token_count:InputTokens",
    "vertex_predict": "antiphon.wires.gemini.predict:Predict",
    "titan_embed": "antiphon.wires.bedrock.embeddings:InvokeTitan",
    "nova_embed": "antiphon.wires.bedrock.embeddings:InvokeNova",
    "cohere_embed": "antiphon.wires.bedrock.embeddings:InvokeCohere",
    "bedrock_count_tokens": "antiphon.wires.bedrock.token_count:CountTokens",
}
"""Operation to the wire it is called on."""

CODECS = {
    "chat": "antiphon.wires.openai.codec:OpenAICodec",
    "responses": "antiphon.wires.responses:ResponsesCodec",
    "messages": "antiphon.wires.anthropic:AnthropicCodec",
    "generate": "antiphon.wires.gemini:Gemini",
    "converse": "antiphon.wires.bedrock:BedrockCodec",
}
"""Operations that ask for generation: each can be answered by a target that offers any other of them."""

EMBEDDERS = {
    "embeddings": "antiphon.wires.openai.embeddings:EmbeddingsCodec",
    "gemini_embed": "antiphon.wires.gemini.embeddings_codec:EmbedCodec",
    "gemini_embed_batch": "antiphon.wires.gemini.embeddings_codec:EmbedBatchCodec",
    "vertex_predict": "antiphon.wires.gemini.predict:PredictCodec",
    "titan_embed": "antiphon.wires.bedrock.embeddings:TitanCodec",
    "nova_embed": "antiphon.wires.bedrock.embeddings:NovaCodec",
    "cohere_embed": "antiphon.wires.bedrock.embeddings:CohereCodec",
}
"""Operations that ask for embeddings, likewise; the last four are only used with targets."""

COUNTERS = {
    "input_tokens": "antiphon.wires.responses.token_count:InputTokensCodec",
    "count_tokens": "antiphon.wires.anthropic.token_count:CountTokensCodec",
    "gemini_count_tokens": "antiphon.wires.gemini.token_count_codec:CountTokensCodec",
    "bedrock_count_tokens": "antiphon.wires.bedrock.token_count:CountTokensCodec",
}
"""Operations that ask how many tokens a request for generation has, likewise."""

TIERS = {"generate": b"x-gemini-service-tier"}
"""Operation to the header with the service tier of a call, if the answer's body does not have it."""

_FAMILY: Mapping[str, Mapping[str, str]] = {
    operation: family for family in (CODECS, EMBEDDERS, COUNTERS) for operation in family
}
"""Operation to the operations to which it can be translated, and their codecs."""


@cache
def get_wire(operation: str) -> Wire:
    """Return the wire of an operation; raises ``KeyError`` for an unknown one."""
    wire: Wire = _make(WIRES[operation])
    return wire


@cache
def get_codec(operation: str) -> Codec:
    """Return the codec of a generation operation; raises ``KeyError`` for any other."""
    codec: Codec = _make(CODECS[operation])
    return codec


@cache
def get_caller_codec(operation: str) -> CallerCodec:
    """Return the caller's side of an operation whose answers are never streamed; raises ``KeyError`` for any other."""
    codec: CallerCodec = _make(_FAMILY[operation][operation])
    return codec


@cache
def get_provider_codec(operation: str) -> ProviderCodec:
    """Return the target's side of an operation whose answers are never streamed; raises ``KeyError`` for any other."""
    codec: ProviderCodec = _make(_FAMILY[operation][operation])
    return codec


def find_translation(operation: str, offered: Iterable[str]) -> str | None:
    """Return the first offered operation that ``operation`` can be translated to, or ``None``."""
    family = _FAMILY.get(operation, ())
    for candidate in offered:
        if candidate in family:
            return candidate
    return None


def _make(where: str) -> Any:
    module, _, name = where.partition(":")
    return getattr(import_module(module), name)()
