"""The names of a caller's users in a form that the provider accepts."""

import hashlib
import re

SHORT = re.compile(r".{1,64}", re.DOTALL)
"""OpenAI's limit on ``user`` and ``safety_identifier``; its API answers 400 to a longer one."""
IDENTIFIER = re.compile(r"[A-Za-z0-9_-]{1,256}")
"""The form of ``metadata.user_id`` at Anthropic: an opaque name, not an e-mail address or a telephone number."""


def pseudonymize(user: str, pattern: re.Pattern[str]) -> str:
    """Return ``user`` if it matches ``pattern``, otherwise its SHA-256, so that the same user has the same name."""
    return user if pattern.fullmatch(user) else hashlib.sha256(user.encode("utf-8", "surrogatepass")).hexdigest()
