"""Silences the vendors' libraries, which log the answers of authorities and, at debug level, even keys."""

import logging

THREAD_NAME = "antiphon-identity"
"""The name of the threads that fetch credentials."""


class CredentialLogFilter(logging.Filter):
    """Drops records of the threads that fetch credentials; the gateway logs one line of its own about each fetch."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.threadName != THREAD_NAME
