"""The words that rows may use, each explained once. A row with any other word does not load."""

from collections.abc import Mapping

QUIRKS: Mapping[str, str] = {
    "no_stream_usage": "refuses `stream_options`; it sends the usage of a stream in its last chunk unasked",
    "max_completion_tokens": "wants the limit of a chat answer as `max_completion_tokens`: its reasoning models refuse "
    "`max_tokens`",
    "keeps_no_responses": "its Responses endpoint keeps nothing; what a conversation goes on from is kept here, and "
    "sent again with each request",
    "model_in_path": "takes a Messages request with the model in its path, and `anthropic_version` in the body, not "
    "as a header",
    "thought_signatures": "gives thought signatures with tool calls, in `extra_content`, and wants them back",
    "counts_bare": "counts the tokens of `contents`, `systemInstruction` and `tools` as they are, without a "
    "`generateContentRequest` around them",
    "no_structured_output": "has no `outputConfig` with a JSON schema; an answer in a form is asked for by a tool",
}
"""What a kind does otherwise than its wire says; the wire's codec acts on the name."""

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
    "rerank": "Rerank, as Cohere and Jina have it",
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
"""What a kind may offer; ``<operation>.stream`` is where a stream is asked for, on wires whose path says so."""

WIRES: Mapping[str, str] = {
    "openai": "chat",
    "responses": "responses",
    "anthropic": "messages",
    "gemini": "generate",
    "bedrock": "converse",
}
"""Each wire, and the operation by which it generates."""

FEATURES: Mapping[str, str] = {
    "vision": "images in",
    "audio": "speech in",
    "documents": "PDF in",
    "tools": "tool calls",
    "json": "answers that follow a JSON schema",
    "reasoning": "thinking before the answer",
    "caching": "a cheaper price for input it has seen before",
    "search": "searches the web by itself",
    "embeddings": "vectors",
    "rerank": "sorting by relevance",
    "images": "images out",
    "speech": "speech out",
    "transcription": "text from speech",
    "moderation": "classes of harm",
}
"""What some model of a kind can do, as its documentation says; what one model can is in the facts."""

CERTAINTY: Mapping[str, str] = {
    "proven": "runs in our own tests",
    "documented": "taken from its own documentation on the day named",
    "reported": "taken from other programs' tables of providers; its own documentation was out of reach",
}
"""How sure a row is. No row was tried with a paid account."""

PARAMS: Mapping[str, str] = {
    "api_version": "The API version.",
    "region": "The region whose servers answer.",
    "project": "The project that is billed.",
    "account": "The account's identifier, as its web address has it.",
    "account_id": "The account's id.",
}
"""What an account may need beside its key; filled into its address and paths, percent-encoded."""

SECRETS: Mapping[str, str] = {
    "access_key": "The id of the key that signs requests.",
    "secret_key": "The key that signs requests.",
    "session_token": "The session the signing key belongs to, for keys that expire.",
}
"""What requests may be signed with instead of carrying a key."""

SETTINGS: Mapping[str, str] = {
    "credentials": "`default`: credentials that expire, found as the cloud's own programs find them, and renewed.",
    "credentials_file": "The JSON file of a service account or another identity, by which tokens are had.",
    "profile": "The profile of `~/.aws` whose credentials or role are used.",
    "tenant_id": "The tenant of the application, or of the federated token.",
    "client_id": "The application by which tokens are had, or which of the machine's identities.",
    "client_secret": "The secret of the application by which tokens are had.",
    "scope": "What tokens are asked for, where it is not the usual one.",
}
"""What an account may say of where its credentials come from, where they expire; ``kinds/sources.py`` says which."""
