"""nginx in two roles: the provider of whole answers, and the reverse proxy that everything is compared with."""

import json
import shutil
from pathlib import Path

from bench.process import Process, wait_ready

REPLY = json.dumps(
    {
        "id": "chatcmpl-bench",
        "object": "chat.completion",
        "created": 1700000000,
        "model": "bench",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "The quick brown fox jumps over the lazy dog. " * 6},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 19, "completion_tokens": 60, "total_tokens": 79},
    },
    separators=(",", ":"),
)

MESSAGES_REPLY = json.dumps(
    {
        "id": "msg_bench",
        "type": "message",
        "role": "assistant",
        "model": "bench",
        "content": [{"type": "text", "text": "The quick brown fox jumps over the lazy dog. " * 6}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 19, "output_tokens": 60},
    },
    separators=(",", ":"),
)

# One process without a master, so that one pid has all of the CPU time.
CONFIG = """
daemon off; master_process off; pid {folder}/nginx.pid; error_log stderr crit; worker_rlimit_nofile 20000;
events {{ worker_connections 10000; multi_accept on; }}
http {{
  access_log off; tcp_nodelay on; keepalive_requests 1000000000; keepalive_timeout 600s;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi; default_type application/json;
  {servers}
}}
"""

MOCK = """
server {{ listen 127.0.0.1:{port} backlog=4096; location / {{ return 200 '{reply}'; }}
  location /v1/messages {{ return 200 '{messages}'; }} }}
"""

PROXY = """
upstream whole_{port} {{ server 127.0.0.1:{whole}; keepalive 256; keepalive_requests 1000000000; }}
upstream paced_{port} {{ server 127.0.0.1:{paced}; keepalive 256; keepalive_requests 1000000000; }}
server {{
  listen 127.0.0.1:{port} backlog=4096; proxy_http_version 1.1; proxy_set_header Connection "";
  proxy_read_timeout 600s;
  location /health {{ return 200 'ok'; }}
  location /whole/ {{ proxy_pass http://whole_{port}/; }}
  location /paced/ {{ proxy_pass http://paced_{port}/; proxy_buffering off; }}
}}
"""


def is_available() -> bool:
    return shutil.which("nginx") is not None and shutil.which("wrk") is not None


def start_mock(folder: Path, core: int, port: int) -> Process:
    """Start the provider, which answers every request with a chat completion, or with a message of the Messages API."""
    return _start(folder, core, port, MOCK.format(port=port, reply=REPLY, messages=MESSAGES_REPLY))


def start_proxy(folder: Path, core: int, port: int, whole: int, paced: int) -> Process:
    """Start the reverse proxy: ``/whole/`` leads to the nginx mock, ``/paced/`` unbuffered to the streaming mock."""
    return _start(folder, core, port, PROXY.format(port=port, whole=whole, paced=paced))


def _start(folder: Path, core: int, port: int, servers: str) -> Process:
    folder.mkdir(parents=True)
    config = folder / "nginx.conf"
    config.write_text(CONFIG.format(folder=folder, servers=servers), encoding="utf-8")
    process = Process(["nginx", "-p", str(folder), "-c", str(config)], core, folder / "log")
    wait_ready(process, port, "/health")
    return process
