"""The codec of this wire: see :class:`translation.codec.Codec`."""

from typing import Any

from antiphon.types import Target
from antiphon.wires.gemini import reply as replies
from antiphon.wires.gemini.request_reader import read_request
from antiphon.wires.gemini.request_writer import write_request
from antiphon.wires.gemini.signatures import WIRE
from antiphon.wires.gemini.stream_reader import GeminiReader
from antiphon.wires.gemini.stream_writer import GeminiWriter
from antiphon.wires.sse import SSESplitter
from antiphon.wires.translation.codec import StreamReader, StreamWriter, WrittenRequest
from antiphon.wires.translation.field_names import FieldNames
from antiphon.wires.translation.neutral import Reply, Request

_CONFIG = "generationConfig."
_FIELD_NAMES: FieldNames = {
    "detail": ("mediaResolution",),
    "filename": ("displayName",),
    "format": tuple(_CONFIG + name for name in ("responseJsonSchema", "responseSchema", "responseMimeType")),
    "frequency_penalty": (_CONFIG + "frequencyPenalty",),
    "logprobs": (_CONFIG + "responseLogprobs",),
    "max_tokens": (_CONFIG + "maxOutputTokens",),
    "modalities": (_CONFIG + "responseModalities",),
    "n": (_CONFIG + "candidateCount",),
    "presence_penalty": (_CONFIG + "presencePenalty",),
    "reasoning": (_CONFIG + "thinkingConfig.thinkingBudget", _CONFIG + "thinkingConfig.thinkingLevel"),
    "reasoning.summary": (_CONFIG + "thinkingConfig.includeThoughts",),
    "seed": (_CONFIG + "seed",),
    "service_tier": ("serviceTier",),
    "stop": (_CONFIG + "stopSequences",),
    "strict": ("toolConfig.functionCallingConfig.mode",),
    "temperature": (_CONFIG + "temperature",),
    "tool_choice": ("toolConfig.functionCallingConfig",),
    "top_k": (_CONFIG + "topK",),
    "top_logprobs": (_CONFIG + "logprobs",),
    "top_p": (_CONFIG + "topP",),
}


class Gemini:
    """generateContent, in both directions."""

    wire = WIRE
    field_names = _FIELD_NAMES

    def read_request(self, document: dict[str, Any], model: str, stream: bool) -> Request:
        return read_request(document, model, stream)

    def write_request(self, request: Request, target: Target) -> WrittenRequest:
        return write_request(request, target)

    def read_reply(self, body: bytes) -> Reply:
        return replies.read_reply(body)

    def write_reply(self, reply: Reply, request: Request) -> bytes:
        return replies.write_reply(reply, request)

    def make_splitter(self) -> SSESplitter:
        return SSESplitter()

    def make_reader(self) -> StreamReader:
        return GeminiReader()

    def make_writer(self, request: Request) -> StreamWriter:
        return GeminiWriter(request)
