"""Streamed uploads: memory, disconnects, early refusals, limits, and the places that name the model."""

import asyncio
import hashlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import openai
import psutil
import pytest

from processes import PATIENCE, Answer, Gateway, allow, chat, post, wait_until
from server.operations.provider import Exchange, Provider, answer_json

MIB = 1024 * 1024
PATH = "/v1/audio/transcriptions"
FORM = "multipart/form-data; boundary=b"
MODEL = b'--b\r\nContent-Disposition: form-data; name="model"\r\n\r\n%b\r\n'
FILE = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n%b\r\n'
OPEN = FILE[: FILE.index(b"%b")]
"""The head of a form part; the content of the file follows."""
END = b"--b--\r\n"


class Peak:
    """The highest resident memory of a process while it runs, sampled every few milliseconds."""

    def __init__(self, pid: int) -> None:
        self.process = psutil.Process(pid)
        self.before = self.process.memory_info().rss
        self.peak = self.before
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._sample)

    def _sample(self) -> None:
        while not self._over.wait(0.005):
            self.peak = max(self.peak, self.process.memory_info().rss)

    def __enter__(self) -> "Peak":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    @property
    def grown(self) -> float:
        return (self.peak - self.before) / MIB


def test_a_file_of_50_mb_is_never_buffered(gateway: Gateway, provider: Provider, client: openai.OpenAI, tmp_path: Path):
    async def wait_then_read(exchange: Exchange) -> None:
        await asyncio.sleep(0.5)  # a gateway without back-pressure would buffer the body now
        await exchange.read()
        await exchange.answer(b'{"text":"long"}')

    provider.routes[f"POST {PATH}"] = wait_then_read
    path = tmp_path / "long.wav"
    content = bytes(range(256)) * 4096 * 50
    path.write_bytes(content)
    client.audio.transcriptions.create(file=("short.wav", b"x"), model="ears")
    with path.open("rb") as file, Peak(gateway.process.pid) as memory:
        assert client.audio.transcriptions.create(file=file, model="ears").text == "long"
    seen = provider.last
    boundary = seen.headers["content-type"].partition("boundary=")[2]
    before = seen.first[: seen.first.index(content[:1000])]
    whole = before + content + f"\r\n--{boundary}--\r\n".encode()
    assert (seen.size, seen.digest.digest()) == (len(whole), hashlib.sha256(whole).digest())
    assert seen.headers["content-length"] == str(len(whole))
    print(f"50 MiB up: resident memory of the gateway grew by {memory.grown:.1f} MiB")
    assert memory.grown < 5


@contextmanager
def begin_request(
    gateway: Gateway, path: str, *pieces: bytes, length: int | None = 40 * MIB
) -> Iterator[socket.socket]:
    """Begin to send a request; without ``length`` it is chunked."""
    with closing(socket.create_connection(("127.0.0.1", gateway.port), timeout=20)) as sock:
        framing = "transfer-encoding: chunked" if length is None else f"content-length: {length}"
        head = f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1:{gateway.port}\r\nauthorization: Bearer {gateway.key}\r\n"
        sock.sendall(f"{head}content-type: {FORM}\r\n{framing}\r\n\r\n".encode() + b"".join(pieces))
        yield sock


def read_answer(sock: socket.socket) -> tuple[int, bytes]:
    raw = b""
    while piece := sock.recv(65536):
        raw += piece
    head, _, body = raw.partition(b"\r\n\r\n")
    return int(head.split()[1]), body


async def wait_for_next_record(gateway: Gateway, count: int) -> dict[str, object]:
    """Return the record after the first ``count``, once it is there; fail if there are two."""
    await wait_until(lambda: len(gateway.list_records()) > count)
    assert len(gateway.list_records()) == count + 1
    return gateway.list_records()[-1]


async def count_settled_records(gateway: Gateway) -> int:
    """Return the number of records, after one more call: records arrive in order, so its record is the last."""
    await gateway.wait_for_record(await chat(gateway, "sim/echo"))
    return len(gateway.list_records())


async def test_a_client_that_leaves_during_an_upload(gateway: Gateway, provider: Provider):
    count = await count_settled_records(gateway)
    reading = threading.Event()

    async def read_body(exchange: Exchange) -> None:
        reading.set()
        await exchange.read()

    provider.routes[f"POST {PATH}"] = read_body
    with begin_request(gateway, PATH, MODEL % b"ears", OPEN, b"x" * 100_000):
        assert await asyncio.to_thread(reading.wait, PATIENCE)
    gone = time.monotonic()
    assert await asyncio.to_thread(provider.left.wait, PATIENCE)
    assert time.monotonic() - gone < allow(2)
    row = await wait_for_next_record(gateway, count)
    assert (row["outcome"], row["error"], row["cost"]) == ("cancelled", "cancelled", None)
    assert row["target"] == "far/whisper-1"


async def test_an_early_refusal_reaches_the_client(gateway: Gateway, provider: Provider):
    refusal = b'{"error":{"message":"too long for me","type":"invalid_request_error","code":"far_limit"}}'

    async def refuse(exchange: Exchange) -> None:
        await exchange.reader.readexactly(1000)
        await exchange.answer(refusal, status=413)

    provider.routes[f"POST {PATH}"] = refuse
    with begin_request(gateway, PATH, MODEL % b"ears", OPEN, b"x" * 100_000) as sock:
        assert await asyncio.to_thread(read_answer, sock) == (413, refusal)


async def test_an_early_refusal_reaches_the_official_client(
    gateway: Gateway, provider: Provider, client: openai.OpenAI
):
    async def refuse(exchange: Exchange) -> None:
        await exchange.answer(b'{"error":{"message":"no room","code":"far_limit"}}', status=413)

    provider.routes["POST /v1/files"] = refuse

    def upload() -> None:
        client.files.create(file=("big", b"x" * (30 * MIB)), purpose="batch")

    with pytest.raises(openai.APIStatusError) as refusal:
        await asyncio.to_thread(upload)
    assert (refusal.value.status_code, refusal.value.code) == (413, "far_limit")
    assert provider.last.size == 0
    assert len(provider.seen) == 1


async def test_a_provider_that_closes_during_an_upload(gateway: Gateway, provider: Provider):
    async def close_midway(exchange: Exchange) -> None:
        await exchange.reader.readexactly(1000)
        exchange.writer.transport.abort()

    provider.routes[f"POST {PATH}"] = close_midway
    count = await count_settled_records(gateway)
    with begin_request(gateway, PATH, MODEL % b"twice", OPEN, b"x" * 100_000) as sock:
        status, body = await asyncio.to_thread(read_answer, sock)
    assert (status, json.loads(body)["error"]["code"]) == (502, "upstream_disconnected")
    assert len(provider.seen) == 1, "a form that was sent in part went to another target"
    assert (await wait_for_next_record(gateway, count))["outcome"] == "error"


async def test_an_announced_length_over_the_limit_is_refused(gateway: Gateway, provider: Provider):
    with begin_request(gateway, PATH, length=65 * MIB) as sock:
        status, body = await asyncio.to_thread(read_answer, sock)
    assert (status, json.loads(body)["error"]["code"]) == (413, "request_too_large")
    assert provider.seen == []


async def test_a_chunked_body_over_the_limit_is_refused(gateway: Gateway, provider: Provider):
    async def read_body(exchange: Exchange) -> None:
        await exchange.read()

    provider.routes[f"POST {PATH}"] = read_body
    count = await count_settled_records(gateway)
    start = MODEL % b"ears" + OPEN
    piece = b"%x\r\n%b\r\n" % (MIB, b"x" * MIB)
    with begin_request(gateway, PATH, b"%x\r\n%b\r\n" % (len(start), start), length=None) as sock:

        def send_all() -> tuple[int, bytes]:
            try:
                for _ in range(80):
                    sock.sendall(piece)
            except ConnectionError:
                pass
            return read_answer(sock)

        status, body = await asyncio.to_thread(send_all)
    assert (status, json.loads(body)["error"]["code"]) == (413, "request_too_large")
    assert await asyncio.to_thread(provider.left.wait, PATIENCE)
    assert provider.last.size <= 64 * MIB
    row = await wait_for_next_record(gateway, count)
    assert (row["outcome"], row["status"], row["error"]) == ("error", 413, "request_too_large")


async def ask(gateway: Gateway, body: bytes, **headers: str) -> Answer:
    fields = {"content-type": FORM} | {name.replace("_", "-"): value for name, value in headers.items()}
    return await post(gateway.port, PATH, body, gateway.key, fields)


async def test_the_model_may_follow_a_small_file(gateway: Gateway, provider: Provider):
    provider.routes[f"POST {PATH}"] = answer_json({"text": "x"})
    got = await ask(gateway, FILE % (b"x" * 60_000) + MODEL % b"ears" + END)
    assert got.status == 200
    assert provider.last.body == FILE % (b"x" * 60_000) + MODEL % b"whisper-1" + END
    assert provider.last.headers["content-length"] == str(provider.last.size)


async def test_the_model_may_not_follow_a_long_file(gateway: Gateway, provider: Provider):
    got = await ask(gateway, FILE % (b"x" * 2 * MIB) + MODEL % b"ears" + END)
    assert (got.status, got.json["error"]["code"]) == (400, "model_too_late")
    assert "before the file" in got.json["error"]["message"]
    assert provider.seen == []


@pytest.mark.parametrize("last", [MODEL % b"anything", b""], ids=["replaced", "added"])
async def test_the_model_may_be_in_a_header(gateway: Gateway, provider: Provider, last: bytes):
    provider.routes[f"POST {PATH}"] = answer_json({"text": "x"})
    got = await ask(gateway, FILE % (b"x" * 2 * MIB) + last + END, x_antiphon_model="ears")
    assert got.status == 200
    assert provider.last.headers["transfer-encoding"] == "chunked"
    assert provider.last.last.endswith(b"x\r\n" + MODEL % b"whisper-1" + END)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (FILE % b"x" + END, "invalid_request"),
        (MODEL % b"" + END, "invalid_request"),
        (MODEL % b"\xff" + END, "invalid_request"),
        (MODEL % b"a\r\nb" + END, "invalid_request"),
        (MODEL % b"ears", "malformed_form"),
        (b"no form at all", "malformed_form"),
        (b"", "malformed_form"),
    ],
)
async def test_forms_without_a_usable_model(gateway: Gateway, provider: Provider, body: bytes, code: str):
    provider.routes[f"POST {PATH}"] = answer_json({"text": "x"})
    got = await ask(gateway, body)
    assert (got.status, got.json["error"]["code"]) == (400, code)
    assert not any(seen.whole for seen in provider.seen)


async def test_two_models_are_refused_even_if_the_second_is_late(gateway: Gateway, provider: Provider):
    async def read_body(exchange: Exchange) -> None:
        await exchange.read()

    provider.routes[f"POST {PATH}"] = read_body
    got = await ask(gateway, MODEL % b"ears" + FILE % (b"x" * 2 * MIB) + MODEL % b"far/other" + END)
    assert (got.status, got.json["error"]["param"]) == (400, "model")
    assert not any(seen.whole for seen in provider.seen)
    assert (await gateway.wait_for_record(got))["outcome"] == "error"


async def test_a_body_with_a_content_encoding_is_refused(gateway: Gateway, provider: Provider):
    got = await ask(gateway, MODEL % b"ears" + END, content_encoding="gzip")
    assert got.status == 415
    assert provider.seen == []


async def test_no_connection_goes_to_the_next_target(provider_server: Provider, provider: Provider, tmp_path: Path):
    """No part of the form has been sent, so another target can get it."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{closed.getsockname()[1]}/v1"
        config = {
            "providers": {
                "dead": {"kind": "openai", "base_url": nobody, "api_key": "k"},
                "far": {"kind": "openai", "base_url": provider_server.url, "api_key": "k"},
            },
            "models": {"ears": {"targets": ["dead/first", "far/whisper-large"]}},
        }
        provider.routes[f"POST {PATH}"] = answer_json({"text": "x"})
        running = Gateway(tmp_path, config)
        try:
            got = await ask(running, MODEL % b"ears" + FILE % b"x" + END)
            several = await post(running.port, "/v1/batches", {}, running.key)
        finally:
            assert running.stop() == 0
    assert (got.status, got.headers["x-antiphon-attempts"]) == (200, "2")
    assert provider.last.body == MODEL % b"whisper-large" + FILE % b"x" + END
    assert several.status == 400
    assert "batches are offered here by dead, far; name one with ?provider=" in several.json["error"]["message"]
