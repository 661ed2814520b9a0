"""Credentials that expire in a configuration: faults, the listing without secrets, detection from the environment."""

import json
import sys

import pytest

from antiphon.config import load_config
from antiphon.config.effective import list_settings
from antiphon.errors import ConfigError
from credentials.servers import GoogleAccounts
from processes import run_cli

SECRET = "application-secret"
APPLICATION = {"tenant_id": "t", "client_id": "c", "client_secret": SECRET}
BEDROCK = {"region": "eu-west-1"}
VERTEX = {"project": "my-project"}
AZURE = {"base_url": "https://x.openai.azure.com"}

FAULTS = {
    "a key as well": ("vertex", VERTEX | {"credentials": "default", "api_key": "k"}, "api_key", "excludes"),
    "a signing key as well": (
        "bedrock",
        BEDROCK | {"profile": "p", "access_key": "a", "secret_key": "b"},
        "access_key",
        "excludes `profile`",
    ),
    "another word": ("vertex", VERTEX | {"credentials": "usual"}, "credentials", "expected default, found `usual`"),
    "another cloud's word": ("vertex", VERTEX | {"profile": "p"}, "profile", "kind `vertex` has no `profile`"),
    "a kind without any": ("openai", {"credentials": "default"}, "credentials", "kind `openai` has no `credentials`"),
    "half an application": ("azure", AZURE | {"client_id": "c", "client_secret": "s"}, "", "needs a `tenant_id`"),
    "an empty secret": ("azure", AZURE | APPLICATION | {"client_secret": " "}, "client_secret", "is empty"),
    "no file": ("vertex", VERTEX | {"credentials_file": "x.json"}, "credentials_file", "there is no file x.json"),
    "no JSON": ("vertex", VERTEX | {"credentials_file": "gateway.yaml"}, "credentials_file", "has no `type`"),
    "a folder": ("vertex", VERTEX | {"credentials_file": "."}, "credentials_file", "there is no file"),
    "a header of one's own": (
        "azure",
        AZURE | {"credentials": "default", "headers": {"Authorization": "Bearer x"}},
        "headers.Authorization",
        "is the header of the key",
    ),
    "through LiteLLM": (
        "bedrock",
        {"via": "litellm", "profile": "p"},
        "profile",
        "is passed to LiteLLM under LiteLLM's own name for it",
    ),
    "nothing at all": ("vertex", VERTEX, "", "needs an `api_key` (or `credentials: default`)"),
    "a key of the environment for an address of one's own": (
        "azure",
        AZURE,
        "",
        "a key from the environment is sent to a custom `base_url` only if you say so",
    ),
}


def load(tmp_path, providers, environ=None):
    file = tmp_path / "gateway.yaml"
    file.write_text(json.dumps({"version": 1, "providers": providers}, indent=1))
    return load_config(str(file), environ or {})


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_names_its_field_and_problem(tmp_path, name: str):
    kind, account, field, problem = FAULTS[name]
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, {kind: account}, {"AZURE_API_KEY": "k"})
    (fault, *_) = caught.value.faults
    assert fault.field == f"providers.{kind}" + (f".{field}" if field else "")
    assert problem in fault.problem
    assert fault.line
    assert SECRET not in str(caught.value)


INSTALLED = [
    ("google", "google.auth", {"vertex": VERTEX | {"credentials": "default"}}, "providers.vertex.credentials"),
    ("google", "requests", {"vertex": VERTEX | {"credentials": "default"}}, "providers.vertex.credentials"),
    ("azure", "azure.identity", {"azure": AZURE | APPLICATION}, "providers.azure.tenant_id"),
    ("aws", "botocore", {"bedrock": BEDROCK | {"profile": "p"}}, "providers.bedrock.profile"),
]


@pytest.mark.parametrize(("extra", "module", "providers", "field"), INSTALLED)
def test_a_missing_library_is_a_fault_with_the_command_that_installs_it(
    tmp_path, monkeypatch, extra, module, providers, field
):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, providers)
    (fault,) = caught.value.faults
    assert (fault.field, fault.hint) == (field, f"pip install 'antiphon[{extra}]'")
    assert "its library is not installed" in fault.problem


def test_a_variable_whose_library_is_missing(tmp_path, monkeypatch):
    environ = {"AWS_PROFILE": "p"}
    assert load(tmp_path, {"bedrock": BEDROCK}, environ).providers["bedrock"].key_state == "renewed"
    assert "bedrock" in load_config(environ=environ | {"AWS_REGION": "eu-west-1"}, probes={}).providers
    monkeypatch.setitem(sys.modules, "botocore", None)
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, {"bedrock": BEDROCK}, environ)
    (fault,) = caught.value.faults
    assert fault.hint == "pip install 'antiphon[aws]'"
    # Without a file nobody asked for this provider: a profile in the shell must not prevent the start.
    assert "bedrock" not in load_config(environ=environ | {"AWS_REGION": "eu-west-1"}, probes={}).providers


def test_the_file_that_a_variable_names_must_be_there(tmp_path):
    environ = {"GOOGLE_APPLICATION_CREDENTIALS": str(tmp_path / "gone.json"), "GOOGLE_CLOUD_PROJECT": "p"}
    for load_it in (
        lambda: load_config(environ=environ, probes={}),
        lambda: load(tmp_path, {"vertex": VERTEX}, environ),
    ):
        with pytest.raises(ConfigError) as caught:
            load_it()
        (fault,) = caught.value.faults
        assert (fault.file, fault.field) == ("environment", "GOOGLE_APPLICATION_CREDENTIALS")
        assert "there is no file" in fault.problem


def test_providers_are_detected_from_the_environment_alone(tmp_path, accounts: GoogleAccounts):
    google = {
        "GOOGLE_APPLICATION_CREDENTIALS": str(accounts.write_service_account(tmp_path)),
        "GOOGLE_CLOUD_PROJECT": "my-project",
    }
    azure = {"AZURE_TENANT_ID": "t", "AZURE_CLIENT_ID": "c", "AZURE_CLIENT_SECRET": SECRET}
    address = {"AZURE_OPENAI_ENDPOINT": "https://x.openai.azure.com"}
    found = load_config(environ={**google, **azure, **address}, probes={}).providers
    assert {"vertex", "azure"} <= found.keys()
    assert found["vertex"].key_source == "environment variable GOOGLE_APPLICATION_CREDENTIALS"
    assert found["azure"].key_source.startswith("environment variables AZURE_TENANT_ID, AZURE_CLIENT_ID")
    assert {found[name].key_state for name in ("vertex", "azure")} == {"renewed"}
    assert "azure" not in load_config(environ={**azure, **address, "AZURE_TENANT_ID": ""}, probes={}).providers


def test_fixed_credentials_are_preferred_to_those_that_expire(tmp_path):
    environ = {"AWS_PROFILE": "p", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "eu-west-1"}
    signing = load_config(environ=environ, probes={}).resolve("bedrock/x").targets[0].signing
    assert (signing.identity, sorted(signing.secrets)) == (None, ["access_key", "secret_key"])
    target = load_config(environ=environ | {"AWS_BEARER_TOKEN_BEDROCK": "k"}, probes={}).resolve("bedrock/x").targets[0]
    assert (target.credential.reveal(), target.signing) == ("k", None)


def test_the_effective_settings_are_listed_without_secrets(tmp_path, accounts: GoogleAccounts):
    account = accounts.write_service_account(tmp_path)
    providers = {
        "vertex": VERTEX | {"credentials_file": "account.json"},
        "bedrock": BEDROCK | {"profile": "production"},
        "azure": AZURE | APPLICATION,
    }
    catalog = load(tmp_path, providers)
    shown = {".".join(each.path): each for each in list_settings(catalog)}
    assert shown["providers.vertex.credentials_file"].value == str(account)
    assert shown["providers.bedrock.profile"].value == "production"
    assert shown["providers.bedrock.credentials"].value == "default"
    assert shown["providers.azure.client_secret"].value == "(hidden)"
    assert "gateway.yaml:" in shown["providers.azure.client_secret"].source
    assert "providers.azure.scope" not in shown
    show = run_cli("config", "show", "--config", str(tmp_path / "gateway.yaml")).stdout
    assert "production" in show
    assert SECRET not in show
    listed = json.loads(run_cli("providers", "--json", "--config", str(tmp_path / "gateway.yaml")).stdout)
    states = {each["name"]: each["key"] for each in listed}
    assert [states[name] for name in providers] == ["renewed"] * 3
