"""Azure: an application's tokens from an authority behind TLS, and those of a managed identity; on every operation."""

import json
import ssl

import pytest
import trustme
from openai import AsyncOpenAI

from antiphon.engine.relay import Relayed
from antiphon.errors import UpstreamStatus
from antiphon.types import Caller
from credentials.far import Refused, chat
from living import Gateway, cli
from living import chat as chat_with

SCOPE = "https://cognitiveservices.azure.com/.default"
SECRET = "application-secret-" + "q" * 21
APPLICATION = {"tenant_id": "tenant-1", "client_id": "client-1", "client_secret": SECRET}


class Entra:
    """Entra ID's token endpoint of one tenant, and a machine's identity endpoint."""

    def __init__(self):
        self.given = []
        self.valid = set()
        self.scope = SCOPE

    def new(self):
        token = f"eyJ.entra-token-{len(self.given) + 1}.{'y' * 40}"
        self.given.append(token)
        self.valid = {token}
        return token

    def authority(self, asked):
        if asked.path.partition("?")[0].endswith("/.well-known/openid-configuration"):
            root = f"https://{asked.headers['host']}/tenant-1"
            return {
                "token_endpoint": f"{root}/oauth2/v2.0/token",
                "authorization_endpoint": f"{root}/oauth2/v2.0/authorize",
                "issuer": f"{root}/v2.0",
            }
        form = asked.form
        assert asked.path.partition("?")[0] == "/tenant-1/oauth2/v2.0/token"
        assert (form["grant_type"], form["client_id"]) == ("client_credentials", "client-1")
        assert form["scope"] == self.scope
        if form["client_secret"] != SECRET:
            said = f"AADSTS7000215: Invalid client secret provided: {form['client_secret']}."
            raise Refused(401, {"error": "invalid_client", "error_description": said})
        return {"token_type": "Bearer", "expires_in": 3599, "access_token": self.new()}

    def machine(self, asked):
        assert asked.headers["x-identity-header"] == "header-secret"
        assert asked.query["resource"] == SCOPE.removesuffix("/.default")
        return {"access_token": self.new(), "expires_on": "4102444800", "token_type": "Bearer"}

    def openai(self, asked):
        assert "api-key" not in asked.headers
        if asked.bearer not in self.valid:
            raise Refused(401, {"error": {"code": "401", "message": "Access denied due to invalid token"}})
        if asked.path.startswith("/openai/deployments/pictures/images/generations"):
            return {"created": 1, "data": [{"b64_json": "aGk="}]}
        if asked.path.startswith("/openai/deployments/ears/audio/transcriptions"):
            assert asked.headers["content-type"].startswith("multipart/form-data")
            return {"text": "as said"}
        if asked.path == "/anthropic/v1/messages":
            content = [{"type": "text", "text": "as Claude"}]
            usage = {"input_tokens": 1, "output_tokens": 1}
            body = {"id": "m", "type": "message", "role": "assistant", "model": "c", "content": content}
            return body | {"stop_reason": "end_turn", "stop_sequence": None, "usage": usage}
        return chat(asked)


@pytest.fixture
def entra():
    return Entra()


@pytest.fixture
def authority(entra, serve, tmp_path, monkeypatch):
    """An authority with a certificate of its own, which the environment trusts."""
    ca = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1").configure_cert(context)
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    far = serve(entra.authority, context)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    monkeypatch.setenv("AZURE_AUTHORITY_HOST", far.url)
    return far


@pytest.fixture
def openai(entra, serve):
    return serve(entra.openai)


async def test_an_application_on_every_kind_and_wire(house, openai, authority, entra):
    made = house(
        {
            "azure": {"base_url": openai.url, **APPLICATION},
            "azure-v1": {"base_url": openai.url, **APPLICATION},
            "azure-anthropic": {"base_url": openai.url, **APPLICATION},
        }
    )
    assert await made.ask("azure/talker") == "as another"
    assert await made.ask("azure/talker") == "as another"
    assert len(entra.given) == 1
    assert await made.ask("azure-v1/talker") == "as another"
    assert await made.ask("azure-anthropic/claude") == "as Claude"
    assert [asked.path for asked in openai.asked[1:]] == [
        "/openai/deployments/talker/chat/completions?api-version=2024-10-21",
        "/openai/v1/chat/completions",
        "/anthropic/v1/messages",
    ]


async def test_operations_that_go_by_carry_the_token_too(house, openai, authority, entra):
    from antiphon.catalog.operations import OPERATIONS

    made = house({"azure": {"base_url": openai.url, **APPLICATION}})

    def images():
        body = json.dumps({"model": "azure/pictures", "prompt": "x"}).encode()
        return Relayed(OPERATIONS["images"], Caller("key"), body=body, content_type=b"application/json")

    answer = await made.runtime.relay(images())
    assert json.loads(answer.body)["data"] == [{"b64_json": "aGk="}]
    entra.valid.clear()
    with pytest.raises(UpstreamStatus):
        await made.runtime.relay(images())
    answer = await made.runtime.relay(images())
    assert answer.status == 200
    assert len(entra.given) == 2


async def test_the_secret_is_in_no_error_and_no_log_although_the_authority_repeats_it(openai, authority, tmp_path):
    wrong = "wrong-secret-" + "w" * 10
    account = {"base_url": openai.url, **APPLICATION, "client_secret": wrong}
    env = {"AZURE_AUTHORITY_HOST": authority.url}
    running = Gateway(tmp_path, {"providers": {"azure": account}}, "--log-level", "debug", env=env)
    try:
        got = await chat_with(running, "azure/talker")
        assert (got.status, got.json["error"]["code"]) == (503, "no_credential")
        assert "AADSTS7000215: Invalid client secret provided: …" in got.json["error"]["message"]
        assert wrong not in got.body.decode()
    finally:
        assert running.stop() == 0
    assert "AADSTS7000215" in running.output
    assert wrong not in running.output
    assert wrong not in cli("config", "show", "--config", str(running.config)).stdout
    assert openai.asked == []


async def test_a_form_that_is_streamed_up_carries_the_token(openai, entra, serve, tmp_path):
    machine = serve(entra.machine)
    env = {"IDENTITY_ENDPOINT": f"{machine.url}/msi/token", "IDENTITY_HEADER": "header-secret"}
    running = Gateway(tmp_path, {"providers": {"azure": {"base_url": openai.url, "credentials": "default"}}}, env=env)
    try:
        async with AsyncOpenAI(base_url=f"{running.url}/v1", api_key=running.key, max_retries=0) as client:
            sound = ("a.wav", b"RIFF" * 100_000)
            got = await client.audio.transcriptions.create(model="azure/ears", file=sound)
    finally:
        assert running.stop() == 0
    assert got.text == "as said"
    assert b"RIFF" * 100_000 in openai.asked[0].body
    assert entra.given[0] not in running.output


async def test_a_scope_of_another_cloud(house, openai, authority, entra):
    entra.scope = "https://cognitiveservices.azure.us/.default"
    made = house({"azure": {"base_url": openai.url, **APPLICATION, "scope": entra.scope}})
    assert await made.ask("azure/talker") == "as another"


async def test_the_variables_of_an_application(house, openai, authority, monkeypatch):
    for name, value in APPLICATION.items():
        monkeypatch.setenv(f"AZURE_{name.upper()}", value)
    assert await house({"azure": {"base_url": openai.url, "credentials": "default"}}).ask("azure/talker")


async def test_the_identity_of_a_machine(house, openai, entra, serve, monkeypatch):
    machine = serve(entra.machine)
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"{machine.url}/msi/token")
    monkeypatch.setenv("IDENTITY_HEADER", "header-secret")
    made = house({"azure": {"base_url": openai.url, "credentials": "default"}})
    assert await made.ask("azure/talker") == "as another"
    assert await made.ask("azure/talker") == "as another"
    assert len(entra.given) == 1


async def test_which_of_a_machines_identities(house, openai, entra, serve, monkeypatch):
    machine = serve(entra.machine)
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"{machine.url}/msi/token")
    monkeypatch.setenv("IDENTITY_HEADER", "header-secret")
    made = house({"azure": {"base_url": openai.url, "client_id": "identity-2"}})
    assert await made.ask("azure/talker") == "as another"
    assert machine.asked[0].query["client_id"] == "identity-2"
