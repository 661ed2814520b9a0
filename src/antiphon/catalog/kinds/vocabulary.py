"""The vocabulary of the rows, each word explained once. A row with any other word does not load."""

from collections.abc import Mapping

QUIRKS: Mapping[str, str] = {
    "no_stream_usage": "rejects `stream_options`; it sends the usage of a stream in the last chunk anyway",
    "max_completion_tokens": "expects the output limit of a chat as `max_completion_tokens`; its reasoning models "
    "reject `max_tokens`",
    "no_stored_responses": "does not store responses; Antiphon stores the conversation and sends it again with each "
    "request",
    "model_in_path": "expects the model of a Messages request in the path, and `anthropic_version` in the body instead "
    "of a header",
    "thought_signatures": "returns thought signatures with tool calls, in `extra_content`, and expects them back",
    "bare_token_count": "counts the tokens of top-level `contents`, `systemInstruction` and `tools`, without a "
    "`generateContentRequest` around them",
    "no_structured_output": "takes no JSON schema in `outputConfig`; Antiphon asks for JSON in the prompt instead",
}
"""How a kind differs from its wire; the wire's codec acts on the name."""

OPERATIONS: Mapping[str, str] = {
    "chat": "OpenAI Chat Completions",
    "responses": "OpenAI Responses",
    "input_tokens": "OpenAI Responses, counting the tokens of a request",
    "messages": "Anthropic Messages",
    "messages.stream": "Anthropic Messages, as a stream",
    "count_tokens": "Anthropic token counting",
    "generate": "Gemini generateContent",
    "generate.stream": "Gemini streamGenerateContent",
    "gemini_count_tokens": "Gemini countTokens",
    "gemini_embed": "Gemini embedContent",
    "gemini_embed_batch": "Gemini batchEmbedContents",
    "vertex_predict": "Vertex AI predict, for embeddings",
    "titan_embed": "Bedrock InvokeModel, for Titan's embeddings",
    "nova_embed": "Bedrock InvokeModel, for Nova's embeddings",
    "cohere_embed": "Bedrock InvokeModel, for Cohere's embeddings",
    "converse": "Bedrock Converse",
    "bedrock_count_tokens": "Bedrock CountTokens",
    "converse.stream": "Bedrock ConverseStream",
    "completions": "OpenAI Completions (legacy)",
    "embeddings": "OpenAI Embeddings",
    "rerank": "Rerank, as defined by Cohere and Jina",
    "moderations": "OpenAI Moderations",
    "images": "OpenAI image generation",
    "image_edits": "OpenAI image edits",
    "image_variations": "OpenAI image variations",
    "speech": "OpenAI text to speech",
    "transcriptions": "OpenAI speech to text",
    "translations": "OpenAI speech to English text",
    "files": "Files, of the account",
    "batches": "OpenAI Batches, of the account",
    "message_batches": "Anthropic Message Batches, of the account",
    "fine_tuning": "OpenAI fine-tuning jobs, of the account",
}
"""What a kind may offer; ``<operation>.stream`` is for wires that request a stream by a different path."""

WIRES: Mapping[str, str] = {
    "openai": "chat",
    "responses": "responses",
    "anthropic": "messages",
    "gemini": "generate",
    "bedrock": "converse",
}
"""Each wire, and its generation operation."""

FEATURES: Mapping[str, str] = {
    "vision": "image input",
    "audio": "speech input",
    "documents": "PDF input",
    "tools": "tool calls",
    "json": "answers that follow a JSON schema",
    "reasoning": "thinking before the answer",
    "caching": "a lower price for repeated input",
    "search": "built-in web search",
    "embeddings": "vectors",
    "rerank": "sorting by relevance",
    "images": "image output",
    "speech": "speech output",
    "transcription": "speech to text",
    "moderation": "classification of harmful content",
}
"""What some models of a kind can do according to its documentation; the facts have what one model can do."""

CERTAINTY: Mapping[str, str] = {
    "proven": "used in our own tests",
    "documented": "taken from the service's own documentation on the stated day",
    "reported": "taken from other programs' tables of providers, because its own documentation was not available",
}
"""How reliable a row is. No row was tested with a paid account."""

PARAMS: Mapping[str, str] = {
    "api_version": "The API version.",
    "region": "The region whose servers answer.",
    "project": "The project that is billed.",
    "account": "The account identifier in the account's web address.",
    "account_id": "The account ID.",
}
"""What an account may need besides its key; filled into its address and paths, percent-encoded."""

SECRETS: Mapping[str, str] = {
    "access_key": "The ID of the key that signs requests.",
    "secret_key": "The key that signs requests.",
    "session_token": "The session token of a temporary signing key.",
}
"""What requests may be signed with instead of carrying a key."""

SETTINGS: Mapping[str, str] = {
    "credentials": "`default`: credentials that expire are found in the same places as by the cloud's own tools, and "
    "renewed.",
    "credentials_file": "The JSON file of a service account or another identity that fetches tokens.",
    "profile": "The profile in `~/.aws` whose credentials or role are used.",
    "tenant_id": "The tenant of the application, or of the federated token.",
    "client_id": "The application that fetches tokens, or the managed identity to use.",
    "client_secret": "The secret of the application that fetches tokens.",
    "scope": "The scope of the tokens, if it is not the usual one.",
}
"""What an account may state about the source of credentials that expire; ``kinds/credential_sources.py`` says where."""
