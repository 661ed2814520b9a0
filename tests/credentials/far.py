"""Strict fakes of what gives credentials, and of providers that take only the right ones."""

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


class Asked(NamedTuple):
    """One request that arrived."""

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


class Refused(Exception):
    """What a fake answers instead of what was asked for."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(f"{status}: {body}")
        self.status, self.body = status, body


Answer = Callable[[Asked], Any]


class Server(ThreadingHTTPServer):
    request_queue_size = 128


class Far:
    """A server of one answering function; what it was asked is kept, and what it found wrong with that."""

    def __init__(self, answer: Answer, context: Any = None) -> None:
        self.answer = answer
        self.asked: list[Asked] = []
        self.faults: list[BaseException] = []
        far = self

        class Handler(BaseHTTPRequestHandler):
            def serve(self) -> None:
                body = self.pieces() if "transfer-encoding" in self.headers else self.rfile.read(self.length())
                headers = {name.lower(): value for name, value in self.headers.items()}
                far.reply(self, Asked(self.command, self.path, headers, body))

            def length(self) -> int:
                return int(self.headers.get("content-length", 0))

            def pieces(self) -> bytes:
                found = []
                while size := int(self.rfile.readline(), 16):
                    found.append(self.rfile.read(size))
                    self.rfile.readline()
                self.rfile.readline()
                return b"".join(found)

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

    def reply(self, handler: BaseHTTPRequestHandler, asked: Asked) -> None:
        self.asked.append(asked)
        status, headers = 200, {}
        try:
            body = self.answer(asked)
        except Refused as refused:
            status, body = refused.status, refused.body
        except Exception as fault:  # noqa: BLE001 (told at the end)
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


def unpadded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Accounts:
    """Google's token endpoint: gives a token for a rightly signed assertion, and knows which tokens hold."""

    def __init__(self) -> None:
        self.given: list[str] = []
        self.valid: set[str] = set()
        self.seconds = 3600
        self.refuses = ""
        self.hold = threading.Event()
        self.hold.set()
        self.far = Far(self.token)

    def token(self, asked: Asked) -> Any:
        self.hold.wait(10)
        form = asked.form
        if self.refuses:
            raise Refused(400, {"error": "invalid_grant", "error_description": self.refuses + form["assertion"]})
        check = {
            "urn:ietf:params:oauth:grant-type:jwt-bearer": self._assertion,
            "urn:ietf:params:oauth:grant-type:token-exchange": self._exchange,
        }[form["grant_type"]]
        check(form)
        kind = "urn:ietf:params:oauth:token-type:access_token"
        return {
            "access_token": self.new(),
            "expires_in": self.seconds,
            "token_type": "Bearer",
            "issued_token_type": kind,
        }

    def new(self) -> str:
        token = f"ya29.token-number-{len(self.given) + 1}-{'x' * 30}"
        self.given.append(token)
        self.valid = {token}
        return token

    def _assertion(self, form: dict[str, str]) -> None:
        head, claims, signature = form["assertion"].split(".")
        KEY.public_key().verify(unpadded(signature), f"{head}.{claims}".encode(), padding.PKCS1v15(), hashes.SHA256())
        assert json.loads(unpadded(head))["alg"] == "RS256"
        said = json.loads(unpadded(claims))
        assert said["aud"] == "https://oauth2.googleapis.com/token"
        assert said["scope"] == SCOPE
        assert said["iss"] == EMAIL
        assert said["iat"] - 60 <= time.time() <= said["exp"] <= said["iat"] + 3600

    def _exchange(self, form: dict[str, str]) -> None:
        assert form["audience"] == POOL
        assert form["scope"] == SCOPE
        assert form["subject_token"] == "token-of-the-cluster"
        assert form["subject_token_type"] == "urn:ietf:params:oauth:token-type:jwt"

    def service_account(self, folder: Path) -> Path:
        """Write the file of a service account whose tokens come from here."""
        private = KEY.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        account = {
            "type": "service_account",
            "project_id": "my-project",
            "private_key_id": "key-1",
            "private_key": private.decode(),
            "client_email": EMAIL,
            "token_uri": f"{self.far.url}/token",
        }
        return written(folder / "account.json", account)

    def workload(self, folder: Path) -> Path:
        """Write the file of a workload in a cluster, which has tokens of that cluster."""
        subject = folder / "subject-token"
        subject.write_text("token-of-the-cluster")
        account = {
            "type": "external_account",
            "audience": POOL,
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
            "token_url": f"{self.far.url}/v1/token",
            "credential_source": {"file": str(subject)},
            "quota_project_id": "who-pays",
        }
        return written(folder / "workload.json", account)


def written(path: Path, document: Any) -> Path:
    path.write_text(json.dumps(document))
    return path


def vertex(accounts: Accounts) -> Answer:
    """A Gemini at Vertex, which takes a token that holds now."""

    def answer(asked: Asked) -> Any:
        if asked.bearer not in accounts.valid:
            raise Refused(401, {"error": {"code": 401, "message": "no such token", "status": "UNAUTHENTICATED"}})
        assert asked.path.startswith("/v1/projects/my-project/locations/global/publishers/google/models/")
        parts = [{"text": f"as {accounts.given.index(asked.bearer) + 1}"}]
        return {
            "candidates": [{"content": {"role": "model", "parts": parts}, "finishReason": "STOP"}],
            "usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2},
        }

    return answer


def metadata(accounts: Accounts) -> Answer:
    """The metadata server of a machine in Google's cloud."""

    def answer(asked: Asked) -> Any:
        assert asked.headers["metadata-flavor"] == "Google"
        path = urlsplit(asked.path).path
        flavour = {"metadata-flavor": "Google"}
        if path.endswith("/token"):
            token = {"access_token": accounts.new(), "expires_in": accounts.seconds, "token_type": "Bearer"}
            return flavour | {"content-type": "application/json"}, token
        account = {"email": EMAIL, "scopes": [SCOPE], "aliases": ["default"]}
        known = {"/computeMetadata/v1/instance/service-accounts/default/": account, "/": {}}
        texts = {"/computeMetadata/v1/project/project-id": b"my-project"}
        if path in texts:
            return flavour | {"content-type": "text/plain"}, texts[path]
        if path not in known:
            raise Refused(404, (flavour, b""))
        return flavour, known[path]

    return answer


def chat(asked: Asked) -> Any:
    """An OpenAI-compatible server that takes anybody."""
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


class Account(NamedTuple):
    """A key that signs."""

    access_key: str
    secret_key: str
    token: str = ""


def signed_by(asked: Asked, account: Account, service: str) -> bool:
    """Say whether botocore, with this key, would have signed the request as it arrived."""
    proof = asked.headers["authorization"]
    names = proof.partition("SignedHeaders=")[2].partition(",")[0].split(";")
    request = AWSRequest(asked.method, f"http://{asked.headers['host']}{asked.path}", data=asked.body)
    for name in names:
        request.headers[name] = asked.headers[name]
    request.context["timestamp"] = asked.headers["x-amz-date"]
    auth = SigV4Auth(Credentials(account.access_key, account.secret_key, account.token or None), service, "eu-west-1")
    wanted = auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)
    return (
        asked.headers.get("x-amz-security-token", "") == account.token
        and f"Credential={account.access_key}/" in proof
        and proof.endswith(f"Signature={wanted}")
        and (not account.token or "x-amz-security-token" in names)
    )


class Roles:
    """STS and a container's endpoint, which lend keys, and a Bedrock that takes the latest of them."""

    def __init__(self, base: Account) -> None:
        self.base = base
        self.current = base
        self.lent = 0
        self.seconds = 3600
        self.far = Far(self.lend)
        self.bedrock = Far(self.converse)

    def lend(self, asked: Asked) -> Any:
        if asked.method == "GET":
            assert asked.path == "/container"
            assert asked.headers["authorization"] == "container-token"
            return self._next()
        assert signed_by(asked, self.base, "sts")
        assert asked.form["Action"] == "AssumeRole"
        assert asked.form["RoleArn"] == "arn:aws:iam::123456789012:role/models"
        lent = self._next()
        members = {**lent, "SessionToken": lent.pop("Token")}
        text = "".join(f"<{name}>{value}</{name}>" for name, value in members.items() if name != "Token")
        return {"content-type": "text/xml"}, (
            '<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>'
            f"{text}</Credentials><AssumedRoleUser><Arn>arn:aws:sts::123456789012:assumed-role/models/x</Arn>"
            "<AssumedRoleId>AROA:x</AssumedRoleId></AssumedRoleUser></AssumeRoleResult></AssumeRoleResponse>"
        ).encode()

    def _next(self) -> dict[str, str]:
        self.lent += 1
        self.current = Account(f"ASIA{self.lent}", f"secret-{self.lent}-{'k' * 30}", f"session-{self.lent}-{'s' * 60}")
        ends = datetime.now(UTC) + timedelta(seconds=self.seconds)
        return {
            "AccessKeyId": self.current.access_key,
            "SecretAccessKey": self.current.secret_key,
            "Token": self.current.token,
            "Expiration": ends.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }

    def converse(self, asked: Asked) -> Any:
        if not signed_by(asked, self.current, "bedrock"):
            raise Refused(403, {"message": "The security token included in the request is expired"})
        message = {"role": "assistant", "content": [{"text": f"as {self.current.access_key}"}]}
        usage = {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2}
        return {"output": {"message": message}, "stopReason": "end_turn", "usage": usage, "metrics": {"latencyMs": 1}}

    def stop(self) -> None:
        self.far.stop()
        self.bedrock.stop()
