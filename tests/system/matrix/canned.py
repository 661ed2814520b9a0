"""A provider that gives the answer which a test wrote for a model; it reads nothing else of the request."""

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple
from urllib.parse import unquote

_IN_PATH = re.compile(r"/models?/([^/:?]+)")


class Canned(NamedTuple):
    body: bytes
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    kind: str = "application/json"


class CannedProvider:
    """``answers`` has the answer for each model."""

    def __init__(self) -> None:
        self.answers: dict[str, Canned] = {}
        answers = self.answers

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                match = _IN_PATH.search(self.path)
                answer = answers[unquote(match[1]) if match else body["model"]]
                self.send_response(answer.status)
                fields = (("content-type", answer.kind), ("content-length", str(len(answer.body))))
                for name, value in (*answer.headers, *fields):
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer.body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
