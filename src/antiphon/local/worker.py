"""The worker process, ``python -m antiphon.local.worker FD``: answers jobs from a socket until its other end closes."""

import os
import signal
import socket
import sys
import threading
from queue import SimpleQueue

from antiphon.local.model_loader import Models
from antiphon.local.messages import HEAD, Job, decode_job, framed

_NICENESS = 5


def main(descriptor: int) -> None:
    """Answer one job after the other; never returns."""
    # The gateway decides when a worker ends: it closes the socket, also by dying.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.nice(_NICENESS)  # where cores are short, the gateway's loop comes first
    connection = socket.socket(fileno=descriptor)
    jobs: SimpleQueue[Job] = SimpleQueue()
    threading.Thread(target=_receive, args=(connection, jobs), daemon=True).start()
    models = Models()
    while True:
        connection.sendall(framed(models.answer(jobs.get())))


def _receive(connection: socket.socket, jobs: "SimpleQueue[Job]") -> None:
    """Put jobs into the queue; end the process when there is nobody left to answer, even in the middle of a job."""
    try:
        with connection.makefile("rb") as stream:
            while len(head := stream.read(HEAD)) == HEAD:
                jobs.put(decode_job(stream.read(int.from_bytes(head, "little"))))
    finally:
        os._exit(0)


if __name__ == "__main__":
    main(int(sys.argv[1]))
