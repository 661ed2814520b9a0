"""The worker process, ``python -m antiphon.local.worker FD``: answers jobs from a socket until its other end closes."""

import os
import signal
import socket
import sys
import threading
from queue import SimpleQueue

from antiphon.local.messages import LENGTH_SIZE, Job, decode_job, encode_message
from antiphon.local.model_loader import ModelCache

_NICENESS = 5


def run(descriptor: int) -> None:
    """Answer one job after the other; never returns."""
    # The gateway decides when a worker ends: it closes the socket, or dies.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.nice(_NICENESS)  # the gateway's event loop goes first if cores are short
    connection = socket.socket(fileno=descriptor)
    jobs: SimpleQueue[Job] = SimpleQueue()
    threading.Thread(target=_receive_jobs, args=(connection, jobs), daemon=True).start()
    models = ModelCache()
    while True:
        connection.sendall(encode_message(models.answer(jobs.get())))


def _receive_jobs(connection: socket.socket, jobs: "SimpleQueue[Job]") -> None:
    """Put jobs into the queue; end the process when the connection closes, even in the middle of a job."""
    try:
        with connection.makefile("rb") as stream:
            while len(length := stream.read(LENGTH_SIZE)) == LENGTH_SIZE:
                jobs.put(decode_job(stream.read(int.from_bytes(length, "little"))))
    finally:
        os._exit(0)


if __name__ == "__main__":
    run(int(sys.argv[1]))
