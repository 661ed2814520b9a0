"""Strict fake servers: sources that issue credentials, and providers that accept only valid ones."""

import base64
import json
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
POOL = "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/pool/providers/cluster"
EMAIL = "gateway@my-project.iam.gserviceaccount.com"


class ReceivedRequest(NamedTuple):
    """One request that a fake server received."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(self.body.decode(), strict_parsing=True).items()}

    @property
    def query(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}

    @property
    def bearer(self) -> str:
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        return token if scheme == "Bearer" else ""


class Rejection(Exception):
    """Raised by an answering function to send an error response."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(f"{status}: {body}")
        self.status, self.body = status, body


Answer = Callable[[ReceivedRequest], Any]


class Server(ThreadingHTTPServer):
    request_queue_size = 128


class FakeServer:
    """A server with one answering function; it records the requests and the assertions that failed."""

    def __init__(self, answer: Answer, context: Any = None) -> None:
        self.answer = answer
        self.requests: list[ReceivedRequest] = []
        self.faults: list[BaseException] = []
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def serve(self) -> None:
                body = self.read_chunks() if "transfer-encoding" in self.headers else self.rfile.read(self.get_length())
                headers = {name.lower(): value for name, value in self.headers.items()}
                fake.reply(self, ReceivedRequest(self.command, self.path, headers, body))

            def get_length(self) -> int:
                return int(self.headers.get("content-length", 0))

            def read_chunks(self) -> bytes:
                chunks = []
                while size := int(self.rfile.readline(), 16):
                    chunks.append(self.rfile.read(size))
                    self.rfile.readline()
                self.rfile.readline()
                return b"".join(chunks)

            do_GET = do_POST = serve

            def log_message(self, *_: Any) -> None:
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        if context is not None:
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.url = f"http{'s' if context else ''}://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def reply(self, handler: BaseHTTPRequestHandler, request: ReceivedRequest) -> None:
        self.requests.append(request)
        status, headers = 200, {}
        try:
            body = self.answer(request)
        except Rejection as rejection:
            status, body = rejection.status, rejection.body
        except Exception as fault:  # noqa: BLE001 (raised again by stop)
            self.faults.append(fault)
            status, body = 400, {"error": "strict"}
        if isinstance(body, tuple):
            headers, body = body
        if not isinstance(body, bytes):
            headers = {"content-type": "application/json", **headers}
            body = json.dumps(body).encode()
        handler.send_response(status)
        for name, value in {**headers, "content-length": str(len(body))}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self._thread.join(5)
        if self.faults:
            raise self.faults[0]


# -- Google -----------------------------------------------------------------------------------------------------------

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def decode_base64url(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class GoogleAccounts:
    """Google's token endpoint: issues a token for a correctly signed assertion, and knows which tokens are valid."""

    def __init__(self) -> None:
        self.issued: list[str] = []
        self.valid: set[str] = set()
        self.seconds = 3600
        self.error = ""
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.server = FakeServer(self.answer_token)

    def answer_token(self, request: ReceivedRequest) -> Any:
        self.may_answer.wait(60)
        form = request.form
        if self.error:
            raise Rejection(400, {"error": "invalid_grant", "error_description": self.error + form["assertion"]})
        check = {
            "urn:ietf:params:oauth:grant-type:jwt-bearer": self._check_assertion,
            "urn:ietf:params:oauth:grant-type:token-exchange": self._check_exchange,
        }[form["grant_type"]]
        check(form)
        kind = "urn:ietf:params:oauth:token-type:access_token"
        return {
            "access_token": self.issue_token(),
            "expires_in": self.seconds,
            "token_type": "Bearer",
            "issued_token_type": kind,
        }

    def issue_token(self) -> str:
        token = f"ya29.token-number-{len(self.issued) + 1}-{'x' * 30}"
        self.issued.append(token)
        self.valid = {token}
        return token

    def _check_assertion(self, form: dict[str, str]) -> None:
        head, claims, signature = form["assertion"].split(".")
        KEY.public_key().verify(
            decode_base64url(signature), f"{head}.{claims}".encode(), padding.PKCS1v15(), hashes.SHA256()
        )
        assert json.loads(decode_base64url(head))["alg"] == "RS256"
        claim = json.loads(decode_base64url(claims))
        assert claim["aud"] == "https://oauth2.googleapis.com/token"
        assert claim["scope"] == SCOPE
        assert claim["iss"] == EMAIL
        assert claim["iat"] - 60 <= time.time() <= claim["exp"] <= claim["iat"] + 3600

    def _check_exchange(self, form: dict[str, str]) -> None:
        assert form["audience"] == POOL
        assert form["scope"] == SCOPE
        assert form["subject_token"] == "token-of-the-cluster"
        assert form["subject_token_type"] == "urn:ietf:params:oauth:token-type:jwt"

    def write_service_account(self, folder: Path) -> Path:
        """Write the file of a service account whose tokens this server issues."""
        private = KEY.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        account = {
            "type": "service_account",
            "project_id": "my-project",
            "private_key_id": "key-1",
            "private_key": private.decode(),
            "client_email": EMAIL,
            "token_uri": f"{self.server.url}/token",
        }
        return write_json(folder / "account.json", account)

    def write_workload(self, folder: Path) -> Path:
        """Write the file of a workload that exchanges a token of its cluster."""
        subject = folder / "subject-token"
        subject.write_text("token-of-the-cluster")
        account = {
            "type": "external_account",
            "audience": POOL,
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
            "token_url": f"{self.server.url}/v1/token",
            "credential_source": {"file": str(subject)},
            "quota_project_id": "who-pays",
        }
        return write_json(folder / "workload.json", account)


def write_json(path: Path, document: Any) -> Path:
    path.write_text(json.dumps(document))
    return path


def make_vertex(accounts: GoogleAccounts) -> Answer:
    """Make Gemini on Vertex, which accepts a token that is valid now."""

    def answer(request: ReceivedRequest) -> Any:
        if request.bearer not in accounts.valid:
            raise Rejection(401, {"error": {"code": 401, "message": "no such token", "status": "UNAUTHENTICATED"}})
        assert request.path.startswith("/v1/projects/my-project/locations/global/publishers/google/models/")
        parts = [{"text": f"as {accounts.issued.index(request.bearer) + 1}"}]
        return {
            "candidates": [{"content": {"role": "model", "parts": parts}, "finishReason": "STOP"}],
            "usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2},
        }

    return answer


def make_metadata_server(accounts: GoogleAccounts) -> Answer:
    """Make the metadata server of a machine in Google's cloud."""

    def answer(request: ReceivedRequest) -> Any:
        assert request.headers["metadata-flavor"] == "Google"
        path = urlsplit(request.path).path
        flavour = {"metadata-flavor": "Google"}
        if path.endswith("/token"):
            token = {"access_token": accounts.issue_token(), "expires_in": accounts.seconds, "token_type": "Bearer"}
            return flavour | {"content-type": "application/json"}, token
        account = {"email": EMAIL, "scopes": [SCOPE], "aliases": ["default"]}
        known = {"/computeMetadata/v1/instance/service-accounts/default/": account, "/": {}}
        texts = {"/computeMetadata/v1/project/project-id": b"my-project"}
        if path in texts:
            return flavour | {"content-type": "text/plain"}, texts[path]
        if path not in known:
            raise Rejection(404, (flavour, b""))
        return flavour, known[path]

    return answer


def answer_chat(request: ReceivedRequest) -> Any:
    """Answer as an OpenAI-compatible server that accepts every caller."""
    message = {"role": "assistant", "content": "as another"}
    return {
        "id": "c",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    }


# -- AWS --------------------------------------------------------------------------------------------------------------


class AwsKey(NamedTuple):
    """A key that signs requests."""

    access_key: str
    secret_key: str
    token: str = ""


def is_signed_by(request: ReceivedRequest, key: AwsKey, service: str) -> bool:
    """Say whether botocore with this key would produce the signature of the received request."""
    proof = request.headers["authorization"]
    names = proof.partition("SignedHeaders=")[2].partition(",")[0].split(";")
    expected = AWSRequest(request.method, f"http://{request.headers['host']}{request.path}", data=request.body)
    for name in names:
        expected.headers[name] = request.headers[name]
    expected.context["timestamp"] = request.headers["x-amz-date"]
    auth = SigV4Auth(Credentials(key.access_key, key.secret_key, key.token or None), service, "eu-west-1")
    signature = auth.signature(auth.string_to_sign(expected, auth.canonical_request(expected)), expected)
    return (
        request.headers.get("x-amz-security-token", "") == key.token
        and f"Credential={key.access_key}/" in proof
        and proof.endswith(f"Signature={signature}")
        and (not key.token or "x-amz-security-token" in names)
    )


class AwsRoles:
    """STS and a container's endpoint, which lend keys, and a Bedrock that accepts the latest key."""

    def __init__(self, base: AwsKey) -> None:
        self.base = base
        self.current = base
        self.lent = 0
        self.seconds = 3600
        self.server = FakeServer(self.answer)
        self.bedrock = FakeServer(self.answer_converse)

    def answer(self, request: ReceivedRequest) -> Any:
        if request.method == "GET":
            assert request.path == "/container"
            assert request.headers["authorization"] == "container-token"
            return self._issue_key()
        assert is_signed_by(request, self.base, "sts")
        assert request.form["Action"] == "AssumeRole"
        assert request.form["RoleArn"] == "arn:aws:iam::123456789012:role/models"
        lent = self._issue_key()
        members = {**lent, "SessionToken": lent.pop("Token")}
        text = "".join(f"<{name}>{value}</{name}>" for name, value in members.items() if name != "Token")
        return {"content-type": "text/xml"}, (
            '<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>'
            f"{text}</Credentials><AssumedRoleUser><Arn>arn:aws:sts::123456789012:assumed-role/models/x</Arn>"
            "<AssumedRoleId>AROA:x</AssumedRoleId></AssumedRoleUser></AssumeRoleResult></AssumeRoleResponse>"
        ).encode()

    def _issue_key(self) -> dict[str, str]:
        self.lent += 1
        self.current = AwsKey(f"ASIA{self.lent}", f"secret-{self.lent}-{'k' * 30}", f"session-{self.lent}-{'s' * 60}")
        ends = datetime.now(UTC) + timedelta(seconds=self.seconds)
        return {
            "AccessKeyId": self.current.access_key,
            "SecretAccessKey": self.current.secret_key,
            "Token": self.current.token,
            "Expiration": ends.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }

    def answer_converse(self, request: ReceivedRequest) -> Any:
        if not is_signed_by(request, self.current, "bedrock"):
            raise Rejection(403, {"message": "The security token included in the request is expired"})
        message = {"role": "assistant", "content": [{"text": f"as {self.current.access_key}"}]}
        usage = {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2}
        return {"output": {"message": message}, "stopReason": "end_turn", "usage": usage, "metrics": {"latencyMs": 1}}

    def stop(self) -> None:
        self.server.stop()
        self.bedrock.stop()
