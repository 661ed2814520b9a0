"""Thought signatures: bytes that prove reasoning to the model that made it, and must return with their part.

A signature of another wire travels through this wire's clients sealed, with the wire's name, in the bytes of a
``thoughtSignature``. It comes back with the history and returns to the wire it belongs to.
"""

import base64
import binascii
from typing import Any

import msgspec

from antiphon.wires.translation.neutral import Thinking

WIRE = "gemini"
UNSIGNED = "skip_thought_signature_validator"
"""The documented value ("Thought signatures", frequently asked questions) for a function call that another model made:
a model that requires a signature accepts it."""

_MARK = b"antiphon1"  # nine bytes, so that its base64 is the same whatever follows
_SEALED = base64.b64encode(_MARK).decode()
SEALED = _SEALED.encode()
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
    if signature.startswith(_SEALED):
        padded = signature.translate(_URL_SAFE) + "=" * (-len(signature) % 4)
        try:
            wire, own, redacted, name = _decode(base64.b64decode(padded)[len(_MARK) :])
        except (msgspec.MsgspecError, binascii.Error, ValueError):
            pass  # it only looks like a sealed signature
        else:
            return Thinking(text=text, signature=own, redacted=redacted, id=name, wire=wire)
    return Thinking(text=text, signature=signature, wire=WIRE)


def remove_sealed(contents: Any) -> list[Any]:
    """Return a caller's contents without sealed signatures, for a provider of this wire, which must not see them.

    The thoughts they prove are left out; a call of such a turn gets the stand-in.
    """
    return [_remove_sealed_parts(content) for content in (contents if type(contents) is list else [contents])]


def _remove_sealed_parts(content: Any) -> Any:
    parts = content.get("parts") if type(content) is dict else None
    parts = [parts] if type(parts) is dict else parts
    if type(parts) is not list or not any(_is_sealed(part) for part in parts):
        return content
    kept = [_remove_signature(part) for part in parts if not (_is_sealed(part) and part.get("thought"))]
    first = next((part for part in kept if any(name in part for name in _CALLS)), None)
    if first is not None and not any(name in first for name in _NAMES):
        first[_NAMES[0]] = UNSIGNED
    return {**content, "parts": kept or [{"text": ""}]}


def _is_sealed(part: Any) -> bool:
    signature = next((part[name] for name in _NAMES if name in part), None) if type(part) is dict else None
    return type(signature) is str and signature.startswith(_SEALED)


def _remove_signature(part: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in part.items() if not (key in _NAMES and _is_sealed(part))}
