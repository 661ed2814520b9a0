"""The shipper process: moves records beside the gateway, where it cannot hold the gateway's interpreter.

``python -m antiphon.ledger.shipper_process FD`` is started by :mod:`antiphon.ledger.shipper_child` and ends when its
gateway closes the socket, also by dying.
"""

import gc
import logging
import os
import select
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path

from antiphon.database.database import Database
from antiphon.ledger.pacing import make_process_pacer
from antiphon.ledger.periodic import TICK_SECONDS, FailureLogger
from antiphon.ledger.shipper import Shipper
from antiphon.ledger.shipper_messages import Assignment, Channel, Filed, Finish, Logged, make_task
from antiphon.ledger.writer import Writer

_NICENESS = 10
"""Where cores are short, calls come first; a tenth of a core remains, which is more than the shipper needs."""


class ChannelHandler(logging.Handler):
    """Sends log records to the gateway, which has the log's settings."""

    def __init__(self, channel: Channel) -> None:
        super().__init__()
        self._channel = channel

    def emit(self, record: logging.LogRecord) -> None:
        with suppress(OSError):  # the gateway is gone, and this process ends in a moment
            self._channel.send(Logged(record.name, record.levelno, self.format(record)))


def run(channel: Channel) -> int:
    """Move records until the gateway closes the channel or says that it ends; return the exit code."""
    messages = channel.receive()
    while not messages and not channel.closed:  # the assignment may come in pieces
        messages = channel.receive()
    if not messages or not isinstance(messages[0], Assignment):
        return 1
    assignment, *messages = messages
    logging.basicConfig(level=assignment.log_level, handlers=[ChannelHandler(channel)], format="%(message)s")
    directory, database = Path(assignment.directory), Database(assignment.database)
    shipper = Shipper(
        directory,
        database,
        writer=Writer(directory / assignment.writer, assignment.lock),
        report=lambda segment, offset, inherited: channel.send(Filed(segment, offset, inherited)),
        pacer=make_process_pacer(),
    )
    tasks = [FailureLogger(make_task(name, database)) for name in assignment.tasks]
    while True:
        for message in messages:
            if isinstance(message, Finish):
                return 0 if shipper.finish(message.timeout) else 1
        if channel.closed:
            return 0
        more = shipper.run()
        for task in tasks:
            task.run()
        has_arrived = select.select([channel], [], [], 0 if more else TICK_SECONDS)[0]
        messages = channel.receive() if has_arrived else []


def main(descriptor: int) -> int:
    # The gateway decides when this process ends: signals to the whole group are for the gateway.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.nice(_NICENESS)
    gc.freeze()
    gc.set_threshold(50_000)  # records are freed by reference counts; only failures leave anything to collect
    return run(Channel(socket.socket(fileno=descriptor)))


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
