"""The shipper process as its gateway sees it: started, followed, finished."""

import logging
import socket
import subprocess
import sys
from contextlib import suppress

from antiphon.ledger.journal import Journal
from antiphon.ledger.shipper_messages import Assignment, Channel, Filed, Finish, Logged

_END_SECONDS = 1.0


class ShipperChild:
    """A child process that moves the records of one journal. It ends by itself when this process ends.

    It inherits the lock of the journal's directory, so nobody else takes the directory while either process lives.
    """

    def __init__(self, process: "subprocess.Popen[bytes]", channel: Channel) -> None:
        self._process = process
        self._channel = channel

    @classmethod
    def start(cls, journal: Journal, database: str, tasks: tuple[str, ...]) -> "ShipperChild":
        """Start the process, which takes about two milliseconds; raises ``OSError``."""
        if not sys.executable:
            raise OSError("this program does not know its Python interpreter")
        writer = journal.writer
        own, other = socket.socketpair()
        with other:
            try:
                process = subprocess.Popen(  # noqa: S603 - no word of it comes from outside
                    # -P: a module lying in the working directory is not imported by accident.
                    [sys.executable, "-P", "-m", "antiphon.ledger.shipper_process", str(other.fileno())],
                    pass_fds=[other.fileno(), writer.lock],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    # Ctrl-C at a terminal is for the gateway. A session of its own would also do, but Linux may
                    # schedule sessions as groups of equal weight (autogroup), in which niceness means nothing.
                    process_group=0,
                )
            except OSError:
                own.close()
                raise
        child = cls(process, Channel(own))
        level = logging.getLogger("antiphon.ledger").getEffectiveLevel()
        directory = str(writer.path.parent.absolute())
        with suppress(OSError):  # a process that has died already is noticed like any other
            child._channel.send(Assignment(directory, writer.id, writer.lock, database, level, tasks))
        return child

    def follow(self, journal: Journal) -> int | None:
        """Take over what the process reports, without waiting; return its exit code once it has ended."""
        code = self._process.poll()
        for message in self._channel.receive(wait=False):
            if isinstance(message, Filed):
                journal.note_progress(message.segment, message.offset, message.inherited)
            elif isinstance(message, Logged):
                logging.getLogger(message.logger).log(message.level, "%s", message.message)
        if code is not None:
            self._channel.close()
        return code

    def finish(self, journal: Journal, timeout: float) -> bool:
        """Let the process move the rest of a closed journal within ``timeout`` seconds; return whether it did."""
        with suppress(OSError):
            self._channel.send(Finish(timeout))
        try:
            self._process.wait(timeout + _END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(_END_SECONDS)
        return self.follow(journal) == 0
