"""The worker's log, filtered so that it never holds a prompt, an answer or a key."""

import logging
import os
import sys
import threading
import time
import warnings
from pathlib import Path
from typing import Any

log = logging.getLogger("longtail")


class RedactingFormatter(logging.Formatter):
    """Writes the place and class of an event, never the text of a library: that may hold a prompt or a key."""

    def format(self, record: logging.LogRecord) -> str:
        when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created))
        what = record.getMessage() if record.name == log.name else f"{record.filename}:{record.lineno}"
        error = record.exc_info and record.exc_info[0]
        return f"{when} {record.levelname} {record.name} {what}" + (f" {error.__name__}" if error else "")


def install_log_filter(stream: Any) -> None:
    """Log to ``stream``, and discard all other output: libraries print the prompts they get."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(RedactingFormatter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    log.setLevel(logging.INFO)
    warnings.simplefilter("ignore")
    sys.stdout = sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 (for as long as the process)
    sys.excepthook = lambda kind, error, trace: log.critical("ended by %s at %s", kind.__name__, _find_place(trace))
    threading.excepthook = lambda args: log.error("a thread was ended by %s", args.exc_type.__name__)


def _find_place(trace: Any) -> str:
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "nowhere" if trace is None else f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
