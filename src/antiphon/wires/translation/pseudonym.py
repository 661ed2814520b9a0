"""Names of a caller's users, in a form that the provider accepts."""

import hashlib
import re

SHORT = re.compile(r".{1,64}", re.DOTALL)
"""OpenAI's limit on ``user`` and ``safety_identifier``; its API answers 400 to a longer one."""
IDENTIFIER = re.compile(r"[A-Za-z0-9_-]{1,256}")
"""What Anthropic accepts as ``metadata.user_id``: an opaque name, not an e-mail address or a telephone number."""


def pseudonymize(user: str, accepted: re.Pattern[str]) -> str:
    """Return ``user`` if it is ``accepted``, else its SHA-256, which is the same name for the same person."""
    return user if accepted.fullmatch(user) else hashlib.sha256(user.encode("utf-8", "surrogatepass")).hexdigest()
