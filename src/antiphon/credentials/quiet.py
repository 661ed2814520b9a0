"""What the makers' libraries log of their own: answers of authorities, at debug level even keys. It is kept to them."""

import logging

THREAD = "antiphon-identity"
"""The name of the threads in which they run."""


class Quiet(logging.Filter):
    """Drops what is logged in the threads that fetch credentials; what matters of it is in our own line."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.threadName != THREAD
