"""Thought signatures: bytes that prove reasoning to the model that made it, and must be sent back with their part.

Clients of this wire keep a signature of another wire sealed: its bytes and the wire's name form a ``thoughtSignature``.
When it comes back with the history, it is unsealed for the wire it belongs to.
"""

import base64
import binascii
from typing import Any

import msgspec

from antiphon.wires.translation.neutral import Thinking

WIRE = "gemini"
UNSIGNED_CALL = "skip_thought_signature_validator"
"""The documented value ("Thought signatures", frequently asked questions) for a function call that another model made:
a model that requires a signature accepts it."""

_MARK = b"antiphon1"  # nine bytes, so that its base64 does not depend on what follows
_SEAL_TEXT = base64.b64encode(_MARK).decode()
SEAL = _SEAL_TEXT.encode()
"""The beginning of every sealed signature."""
_NAMES = ("thoughtSignature", "thought_signature")
_CALLS = ("functionCall", "function_call")
_decode = msgspec.json.Decoder(tuple[str, str, str, str]).decode
_URL_SAFE = str.maketrans("-_", "+/")


def seal(thinking: Thinking) -> str:
    """Return a block's signature for this wire, or ``""``."""
    if thinking.wire == WIRE or not (thinking.signature or thinking.redacted or thinking.id or thinking.wire):
        return thinking.signature
    content = msgspec.json.encode((thinking.wire, thinking.signature, thinking.redacted, thinking.id))
    return base64.b64encode(_MARK + content).decode()


def unseal(signature: str, text: str) -> Thinking:
    """Return the block of any wire that a signature belongs to."""
    if signature.startswith(_SEAL_TEXT):
        padded = signature.translate(_URL_SAFE) + "=" * (-len(signature) % 4)
        try:
            wire, provider_signature, redacted, thinking_id = _decode(base64.b64decode(padded)[len(_MARK) :])
        except (msgspec.MsgspecError, binascii.Error, ValueError):
            pass  # it only looks like a sealed signature
        else:
            return Thinking(text=text, signature=provider_signature, redacted=redacted, id=thinking_id, wire=wire)
    return Thinking(text=text, signature=signature, wire=WIRE)


def remove_sealed(contents: Any) -> list[Any]:
    """Return a caller's contents without sealed signatures, which a provider of this wire would reject.

    Thoughts with a sealed signature are left out; the first call of such a turn gets the placeholder.
    """
    return [_remove_sealed_parts(content) for content in (contents if type(contents) is list else [contents])]


def _remove_sealed_parts(content: Any) -> Any:
    parts = content.get("parts") if type(content) is dict else None
    parts = [parts] if type(parts) is dict else parts
    if type(parts) is not list or not any(_is_sealed(part) for part in parts):
        return content
    remaining = [_remove_signature(part) for part in parts if not (_is_sealed(part) and part.get("thought"))]
    first = next((part for part in remaining if any(name in part for name in _CALLS)), None)
    if first is not None and not any(name in first for name in _NAMES):
        first[_NAMES[0]] = UNSIGNED_CALL
    return {**content, "parts": remaining or [{"text": ""}]}


def _is_sealed(part: Any) -> bool:
    signature = next((part[name] for name in _NAMES if name in part), None) if type(part) is dict else None
    return type(signature) is str and signature.startswith(_SEAL_TEXT)


def _remove_signature(part: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in part.items() if not (key in _NAMES and _is_sealed(part))}
