"""Azure: tokens of an application, from an authority behind TLS, and of a managed identity; on every operation."""

import json
import ssl

import pytest
import trustme
from openai import AsyncOpenAI

from antiphon.engine.operation_call import OperationRequest
from antiphon.errors import UpstreamStatus
from antiphon.types import Caller
from credentials.servers import Rejection, answer_chat
from processes import Gateway, run_cli
from processes import chat as chat_with

SCOPE = "https://cognitiveservices.azure.com/.default"
SECRET = "application-secret-" + "q" * 21
APPLICATION = {"tenant_id": "tenant-1", "client_id": "client-1", "client_secret": SECRET}


class Entra:
    """Entra ID's token endpoint of one tenant, a machine's identity endpoint, and Azure OpenAI."""

    def __init__(self):
        self.issued = []
        self.valid = set()
        self.scope = SCOPE

    def issue_token(self):
        token = f"eyJ.entra-token-{len(self.issued) + 1}.{'y' * 40}"
        self.issued.append(token)
        self.valid = {token}
        return token

    def answer_authority(self, request):
        if request.path.partition("?")[0].endswith("/.well-known/openid-configuration"):
            root = f"https://{request.headers['host']}/tenant-1"
            return {
                "token_endpoint": f"{root}/oauth2/v2.0/token",
                "authorization_endpoint": f"{root}/oauth2/v2.0/authorize",
                "issuer": f"{root}/v2.0",
            }
        form = request.form
        assert request.path.partition("?")[0] == "/tenant-1/oauth2/v2.0/token"
        assert (form["grant_type"], form["client_id"]) == ("client_credentials", "client-1")
        assert form["scope"] == self.scope
        if form["client_secret"] != SECRET:
            description = f"AADSTS7000215: Invalid client secret provided: {form['client_secret']}."
            raise Rejection(401, {"error": "invalid_client", "error_description": description})
        return {"token_type": "Bearer", "expires_in": 3599, "access_token": self.issue_token()}

    def answer_machine(self, request):
        assert request.headers["x-identity-header"] == "header-secret"
        assert request.query["resource"] == SCOPE.removesuffix("/.default")
        return {"access_token": self.issue_token(), "expires_on": "4102444800", "token_type": "Bearer"}

    def answer_openai(self, request):
        assert "api-key" not in request.headers
        if request.bearer not in self.valid:
            raise Rejection(401, {"error": {"code": "401", "message": "Access denied due to invalid token"}})
        if request.path.startswith("/openai/deployments/pictures/images/generations"):
            return {"created": 1, "data": [{"b64_json": "aGk="}]}
        if request.path.startswith("/openai/deployments/ears/audio/transcriptions"):
            assert request.headers["content-type"].startswith("multipart/form-data")
            return {"text": "as said"}
        if request.path == "/anthropic/v1/messages":
            content = [{"type": "text", "text": "as Claude"}]
            usage = {"input_tokens": 1, "output_tokens": 1}
            body = {"id": "m", "type": "message", "role": "assistant", "model": "c", "content": content}
            return body | {"stop_reason": "end_turn", "stop_sequence": None, "usage": usage}
        return answer_chat(request)


@pytest.fixture
def entra():
    return Entra()


@pytest.fixture
def authority(entra, serve, tmp_path, monkeypatch):
    """An authority whose certificate the environment trusts."""
    ca = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1").configure_cert(context)
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    server = serve(entra.answer_authority, context)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    monkeypatch.setenv("AZURE_AUTHORITY_HOST", server.url)
    return server


@pytest.fixture
def openai(entra, serve):
    return serve(entra.answer_openai)


async def test_an_application_on_every_kind_and_wire(make_gateway, openai, authority, entra):
    gateway = make_gateway(
        {
            "azure": {"base_url": openai.url, **APPLICATION},
            "azure-v1": {"base_url": openai.url, **APPLICATION},
            "azure-anthropic": {"base_url": openai.url, **APPLICATION},
        }
    )
    assert await gateway.ask("azure/talker") == "as another"
    assert await gateway.ask("azure/talker") == "as another"
    assert len(entra.issued) == 1
    assert await gateway.ask("azure-v1/talker") == "as another"
    assert await gateway.ask("azure-anthropic/claude") == "as Claude"
    assert [request.path for request in openai.requests[1:]] == [
        "/openai/deployments/talker/chat/completions?api-version=2024-10-21",
        "/openai/v1/chat/completions",
        "/anthropic/v1/messages",
    ]


async def test_relayed_operations_carry_the_token_too(make_gateway, openai, authority, entra):
    from antiphon.catalog.operations import OPERATIONS

    gateway = make_gateway({"azure": {"base_url": openai.url, **APPLICATION}})

    body = json.dumps({"model": "azure/pictures", "prompt": "x"}).encode()
    request = OperationRequest(OPERATIONS["images"], body=body, content_type=b"application/json")

    answer = await gateway.runtime.ask_operation(request, Caller("key"))
    assert json.loads(answer.body)["data"] == [{"b64_json": "aGk="}]
    entra.valid.clear()
    with pytest.raises(UpstreamStatus):
        await gateway.runtime.ask_operation(request, Caller("key"))
    answer = await gateway.runtime.ask_operation(request, Caller("key"))
    assert answer.status == 200
    assert len(entra.issued) == 2


async def test_a_secret_that_the_authority_repeats_is_in_no_error_and_no_log(openai, authority, tmp_path):
    wrong = "wrong-secret-" + "w" * 10
    account = {"base_url": openai.url, **APPLICATION, "client_secret": wrong}
    env = {"AZURE_AUTHORITY_HOST": authority.url}
    gateway = Gateway(tmp_path, {"providers": {"azure": account}}, "--log-level", "debug", env=env)
    try:
        response = await chat_with(gateway, "azure/talker")
        assert (response.status, response.json["error"]["code"]) == (503, "no_credential")
        assert "AADSTS7000215: Invalid client secret provided: …" in response.json["error"]["message"]
        assert wrong not in response.body.decode()
    finally:
        assert gateway.stop() == 0
    assert "AADSTS7000215" in gateway.output
    assert wrong not in gateway.output
    assert wrong not in run_cli("config", "show", "--config", str(gateway.config)).stdout
    assert openai.requests == []


async def test_a_streamed_upload_carries_the_token(openai, entra, serve, tmp_path):
    machine = serve(entra.answer_machine)
    env = {"IDENTITY_ENDPOINT": f"{machine.url}/msi/token", "IDENTITY_HEADER": "header-secret"}
    gateway = Gateway(tmp_path, {"providers": {"azure": {"base_url": openai.url, "credentials": "default"}}}, env=env)
    try:
        async with AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.key, max_retries=0) as client:
            sound = ("a.wav", b"RIFF" * 100_000)
            transcription = await client.audio.transcriptions.create(model="azure/ears", file=sound)
    finally:
        assert gateway.stop() == 0
    assert transcription.text == "as said"
    assert b"RIFF" * 100_000 in openai.requests[0].body
    assert entra.issued[0] not in gateway.output


async def test_the_scope_of_another_cloud(make_gateway, openai, authority, entra):
    entra.scope = "https://cognitiveservices.azure.us/.default"
    gateway = make_gateway({"azure": {"base_url": openai.url, **APPLICATION, "scope": entra.scope}})
    assert await gateway.ask("azure/talker") == "as another"


async def test_an_application_in_the_environment(make_gateway, openai, authority, monkeypatch):
    for name, value in APPLICATION.items():
        monkeypatch.setenv(f"AZURE_{name.upper()}", value)
    assert await make_gateway({"azure": {"base_url": openai.url, "credentials": "default"}}).ask("azure/talker")


async def test_the_managed_identity_of_a_machine(make_gateway, openai, entra, serve, monkeypatch):
    machine = serve(entra.answer_machine)
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"{machine.url}/msi/token")
    monkeypatch.setenv("IDENTITY_HEADER", "header-secret")
    gateway = make_gateway({"azure": {"base_url": openai.url, "credentials": "default"}})
    assert await gateway.ask("azure/talker") == "as another"
    assert await gateway.ask("azure/talker") == "as another"
    assert len(entra.issued) == 1


async def test_client_id_selects_one_of_a_machines_identities(make_gateway, openai, entra, serve, monkeypatch):
    machine = serve(entra.answer_machine)
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"{machine.url}/msi/token")
    monkeypatch.setenv("IDENTITY_HEADER", "header-secret")
    gateway = make_gateway({"azure": {"base_url": openai.url, "client_id": "identity-2"}})
    assert await gateway.ask("azure/talker") == "as another"
    assert machine.requests[0].query["client_id"] == "identity-2"
