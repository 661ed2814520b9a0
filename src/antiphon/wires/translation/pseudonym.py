"""The name of a caller's own user, in a form that the target's provider takes."""

import hashlib
import re

SHORT = re.compile(r".{1,64}", re.DOTALL)
"""OpenAI's limit on ``user`` and ``safety_identifier``; its API answers 400 to a longer one."""
IDENTIFIER = re.compile(r"[A-Za-z0-9_-]{1,256}")
"""What Anthropic takes as ``metadata.user_id``: an opaque name, no address and no telephone number."""


def pseudonymize(user: str, taken: re.Pattern[str]) -> str:
    """Return ``user`` where it is ``taken`` as it is, else its SHA-256: still the same name for the same person."""
    return user if taken.fullmatch(user) else hashlib.sha256(user.encode("utf-8", "surrogatepass")).hexdigest()
