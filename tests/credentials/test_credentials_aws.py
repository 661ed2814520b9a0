"""AWS: a profile, a role assumed with it, a container's keys; each request signed as botocore would sign it."""

import pytest

from antiphon.config import load_config
from antiphon.errors import NoCredential, UpstreamStatus
from credentials.far import Account, Roles
from living import Gateway
from living import chat as chat_with

BASE = Account("AKIABASE", "base-secret-" + "b" * 28)
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
    made = Roles(BASE)
    yield made
    made.stop()


@pytest.fixture
def profiles(tmp_path, monkeypatch):
    """The files that AWS's programs read."""
    (tmp_path / "credentials").write_text(PROFILES)
    (tmp_path / "config").write_text(CONFIG)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))


@pytest.fixture
def bedrock(house, roles, profiles, monkeypatch):
    """Make a gateway whose Bedrock has an account that says this beside its address."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", roles.far.url)

    def make(**account):
        return house({"bedrock": {"base_url": roles.bedrock.url, "region": "eu-west-1", **account}})

    return make


async def test_the_keys_of_a_profile(bedrock, roles):
    made = bedrock(profile="base")
    assert await made.ask("bedrock/amazon.nova-lite-v1:0") == "as AKIABASE"
    assert await made.ask("bedrock/amazon.nova-lite-v1:0", "ü" * 50) == "as AKIABASE"
    assert roles.lent == 0


async def test_a_role_is_assumed_and_assumed_again_before_its_session_ends(bedrock, roles, clock):
    made = bedrock(profile="models")
    assert await made.ask("bedrock/amazon.nova-lite-v1:0") == "as ASIA1"
    assert await made.ask("bedrock/amazon.nova-lite-v1:0") == "as ASIA1"
    assert roles.lent == 1
    clock.ahead += 3601
    assert await made.ask("bedrock/amazon.nova-lite-v1:0") == "as ASIA2"
    assert roles.lent == 2


async def test_a_session_that_was_ended_is_had_anew(bedrock, roles):
    made = bedrock(profile="models")
    assert await made.ask("bedrock/amazon.nova-lite-v1:0") == "as ASIA1"
    roles.current = BASE
    with pytest.raises(UpstreamStatus) as caught:
        await made.ask("bedrock/amazon.nova-lite-v1:0")
    assert caught.value.status == 403
    assert await made.ask("bedrock/amazon.nova-lite-v1:0") == "as ASIA2"


async def test_what_the_environment_names_is_found_by_default(bedrock, roles, monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "models")
    assert await bedrock(credentials="default").ask("bedrock/amazon.nova-lite-v1:0") == "as ASIA1"


async def test_a_containers_keys(bedrock, roles, monkeypatch, clock):
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{roles.far.url}/container")
    monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "container-token")
    roles.seconds = 6 * 3600
    made = bedrock(credentials="default")
    assert await made.ask("bedrock/amazon.nova-lite-v1:0") == "as ASIA1"
    clock.ahead += 5 * 3600
    assert await made.ask("bedrock/amazon.nova-lite-v1:0") == "as ASIA1"
    clock.ahead += 3600
    assert await made.ask("bedrock/amazon.nova-lite-v1:0") == "as ASIA2"


async def test_no_log_shows_what_was_lent(roles, profiles, tmp_path):
    env = {"AWS_ENDPOINT_URL_STS": roles.far.url}
    account = {"base_url": roles.bedrock.url, "region": "eu-west-1", "profile": "models"}
    running = Gateway(tmp_path, {"providers": {"bedrock": account}}, "--log-level", "debug", env=env)
    try:
        got = await chat_with(running, "bedrock/amazon.nova-lite-v1:0")
        assert got.json["choices"][0]["message"]["content"] == "as ASIA1"
    finally:
        assert running.stop() == 0
    assert "The credential for 'bedrock' (source `aws`) is there" in running.output
    for secret in (BASE.secret_key, roles.current.secret_key, roles.current.token):
        assert secret not in running.output


async def test_without_keys_the_error_says_what_to_do(bedrock, roles, caplog):
    with pytest.raises(NoCredential, match="aws sts get-caller-identity"):
        await bedrock(credentials="default").ask("bedrock/amazon.nova-lite-v1:0")
    with pytest.raises(NoCredential, match="mfa_serial"):
        await bedrock(profile="device").ask("bedrock/amazon.nova-lite-v1:0")
    with pytest.raises(NoCredential, match="nosuch"):
        await bedrock(profile="nosuch").ask("bedrock/amazon.nova-lite-v1:0")
    assert roles.bedrock.asked == []
    assert BASE.secret_key not in caplog.text


def test_a_role_of_a_service_account_makes_a_provider(roles):
    environ = {"AWS_REGION": "eu-west-1", "AWS_ROLE_ARN": "arn:aws:iam::1:role/r", "AWS_WEB_IDENTITY_TOKEN_FILE": "/x"}
    provider = load_config(environ=environ, probes={}).providers["bedrock"]
    assert provider.key_state == "renewed"
    assert provider.key_source == "environment variables AWS_ROLE_ARN, AWS_WEB_IDENTITY_TOKEN_FILE"
