"""AWS: a profile, a role assumed with it, a container's keys; each request signed as botocore would sign it."""

import pytest

from antiphon.config import load_config
from antiphon.errors import NoCredential, UpstreamStatus
from credentials.servers import AwsKey, AwsRoles
from processes import Gateway
from processes import chat as chat_with

BASE = AwsKey("AKIABASE", "base-secret-" + "b" * 28)
PROFILES = f"""\
[base]
aws_access_key_id = {BASE.access_key}
aws_secret_access_key = {BASE.secret_key}
"""
CONFIG = """\
[profile models]
role_arn = arn:aws:iam::123456789012:role/models
source_profile = base
region = eu-west-1
[profile device]
role_arn = arn:aws:iam::123456789012:role/models
source_profile = base
mfa_serial = arn:aws:iam::123456789012:mfa/me
"""


@pytest.fixture
def roles():
    roles = AwsRoles(BASE)
    yield roles
    roles.stop()


@pytest.fixture
def profiles(tmp_path, monkeypatch):
    """Write the files that AWS's own programs read."""
    (tmp_path / "credentials").write_text(PROFILES)
    (tmp_path / "config").write_text(CONFIG)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))


@pytest.fixture
def make_bedrock(make_gateway, roles, profiles, monkeypatch):
    """Make a gateway whose Bedrock account has an address, a region and these settings."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", roles.server.url)

    def make(**account):
        return make_gateway({"bedrock": {"base_url": roles.bedrock.url, "region": "eu-west-1", **account}})

    return make


async def test_a_profile_with_keys(make_bedrock, roles):
    gateway = make_bedrock(profile="base")
    assert await gateway.ask("bedrock/amazon.nova-lite-v1:0") == "as AKIABASE"
    assert await gateway.ask("bedrock/amazon.nova-lite-v1:0", "ü" * 50) == "as AKIABASE"
    assert roles.lent == 0


async def test_a_role_is_assumed_and_assumed_again_before_its_session_ends(make_bedrock, roles, clock):
    gateway = make_bedrock(profile="models")
    assert await gateway.ask("bedrock/amazon.nova-lite-v1:0") == "as ASIA1"
    assert await gateway.ask("bedrock/amazon.nova-lite-v1:0") == "as ASIA1"
    assert roles.lent == 1
    clock.ahead += 3601
    assert await gateway.ask("bedrock/amazon.nova-lite-v1:0") == "as ASIA2"
    assert roles.lent == 2


async def test_a_session_that_was_revoked_is_replaced_for_the_next_call(make_bedrock, roles):
    gateway = make_bedrock(profile="models")
    assert await gateway.ask("bedrock/amazon.nova-lite-v1:0") == "as ASIA1"
    roles.current = BASE
    with pytest.raises(UpstreamStatus) as caught:
        await gateway.ask("bedrock/amazon.nova-lite-v1:0")
    assert caught.value.status == 403
    assert await gateway.ask("bedrock/amazon.nova-lite-v1:0") == "as ASIA2"


async def test_default_finds_the_profile_that_the_environment_names(make_bedrock, roles, monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "models")
    assert await make_bedrock(credentials="default").ask("bedrock/amazon.nova-lite-v1:0") == "as ASIA1"


async def test_a_container_lends_keys(make_bedrock, roles, monkeypatch, clock):
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{roles.server.url}/container")
    monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "container-token")
    roles.seconds = 6 * 3600
    gateway = make_bedrock(credentials="default")
    assert await gateway.ask("bedrock/amazon.nova-lite-v1:0") == "as ASIA1"
    clock.ahead += 5 * 3600
    assert await gateway.ask("bedrock/amazon.nova-lite-v1:0") == "as ASIA1"
    clock.ahead += 3600
    assert await gateway.ask("bedrock/amazon.nova-lite-v1:0") == "as ASIA2"


async def test_no_log_shows_a_secret(roles, profiles, tmp_path):
    env = {"AWS_ENDPOINT_URL_STS": roles.server.url}
    account = {"base_url": roles.bedrock.url, "region": "eu-west-1", "profile": "models"}
    gateway = Gateway(tmp_path, {"providers": {"bedrock": account}}, "--log-level", "debug", env=env)
    try:
        response = await chat_with(gateway, "bedrock/amazon.nova-lite-v1:0")
        assert response.json["choices"][0]["message"]["content"] == "as ASIA1"
    finally:
        assert gateway.stop() == 0
    assert "The credential for 'bedrock' (source `aws`) was fetched" in gateway.output
    for secret in (BASE.secret_key, roles.current.secret_key, roles.current.token):
        assert secret not in gateway.output


async def test_without_keys_the_error_says_what_to_do(make_bedrock, roles, caplog):
    with pytest.raises(NoCredential, match="aws sts get-caller-identity"):
        await make_bedrock(credentials="default").ask("bedrock/amazon.nova-lite-v1:0")
    with pytest.raises(NoCredential, match="mfa_serial"):
        await make_bedrock(profile="device").ask("bedrock/amazon.nova-lite-v1:0")
    with pytest.raises(NoCredential, match="nosuch"):
        await make_bedrock(profile="nosuch").ask("bedrock/amazon.nova-lite-v1:0")
    assert roles.bedrock.requests == []
    assert BASE.secret_key not in caplog.text


def test_a_web_identity_in_the_environment_is_detected(roles):
    environ = {"AWS_REGION": "eu-west-1", "AWS_ROLE_ARN": "arn:aws:iam::1:role/r", "AWS_WEB_IDENTITY_TOKEN_FILE": "/x"}
    provider = load_config(environ=environ, probes={}).providers["bedrock"]
    assert provider.key_state == "renewed"
    assert provider.key_source == "environment variables AWS_ROLE_ARN, AWS_WEB_IDENTITY_TOKEN_FILE"
