"""Detection without a file: from environment variables, and from servers that listen."""

import socket

import pytest

from antiphon.catalog.kinds import load_kinds
from antiphon.config import load_config
from antiphon.config.detect import find_listening, list_probes
from antiphon.errors import ConfigError


@pytest.fixture
def open_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def closed_port():
    # Bound but not listening: connections are refused, and no other process can take the port.
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


def test_with_nothing_to_detect_only_built_in_providers_exist(detected):
    catalog = detected()
    assert list(catalog.providers) == ["sim", "local"]
    assert catalog.file is None
    assert catalog.settings.auth == "keys"
    assert catalog.resolve("sim/echo").targets[0].origin.scheme == "sim"


def test_a_key_in_the_environment_makes_a_provider(detected):
    catalog = detected(MISTRAL_API_KEY="m", OPENAI_API_KEY="o", XAI_API_KEY="", UNRELATED="x")
    assert list(catalog.providers) == ["openai", "mistral", "sim", "local"]
    provider = catalog.providers["openai"]
    assert provider.source == provider.key_source == "environment variable OPENAI_API_KEY"
    assert provider.key_state == "set"
    assert catalog.providers["sim"].key_state == "not needed"


def test_an_alternative_variable_works_too(detected):
    assert detected(TOGETHERAI_API_KEY="t").providers["together"].credential.reveal() == "t"


def test_an_address_in_the_environment_is_used_with_its_key(detected):
    catalog = detected(OPENAI_API_KEY="o", OPENAI_BASE_URL="http://proxy.example:8080/openai/")
    target = catalog.resolve("openai/x").targets[0]
    assert str(target.origin) == "http://proxy.example:8080"
    assert target.urls["chat"] == "/openai/chat/completions"


def test_azure_needs_an_address(detected):
    assert "azure" not in detected(AZURE_OPENAI_API_KEY="k").providers
    catalog = detected(
        AZURE_OPENAI_API_KEY="k", AZURE_OPENAI_ENDPOINT="https://a.example", OPENAI_API_VERSION="2025-01-01"
    )
    assert catalog.resolve("azure/d").targets[0].urls["chat"].endswith("?api-version=2025-01-01")


@pytest.mark.parametrize(
    ("value", "address"),
    [
        ("127.0.0.1", "http://127.0.0.1:11434/v1"),
        ("0.0.0.0", "http://127.0.0.1:11434/v1"),
        ("0.0.0.0:5000", "http://127.0.0.1:5000/v1"),
        (":5000", "http://127.0.0.1:5000/v1"),
        ("gpu-box:5000", "http://gpu-box:5000/v1"),
        ("gpu-box", "http://gpu-box:11434/v1"),
        ("[::]:5000", "http://[::1]:5000/v1"),
        ("[::1]", "http://[::1]:11434/v1"),
        ("https://gpu.example", "https://gpu.example/v1"),
        ("https://gpu.example/ollama/v1", "https://gpu.example/ollama/v1"),
    ],
)
def test_listen_addresses_in_a_variable(detected, value: str, address: str):
    assert detected(OLLAMA_HOST=value).providers["ollama"].base_url == address


def test_a_key_alone_does_not_make_a_local_server(detected):
    assert list(detected(OLLAMA_API_KEY="k").providers) == ["ollama-cloud", "sim", "local"]
    provider = detected(OLLAMA_API_KEY="k", OLLAMA_HOST="https://ollama.example").providers["ollama"]
    assert provider.credential.reveal() == "k"


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("OPENAI_API_KEY", "sk-1\n", "line breaks"),
        ("OPENAI_API_KEY", " sk-1", "spaces"),
        ("OPENAI_API_KEY", "schlüssel", "characters"),
        ("OLLAMA_HOST", "ftp://x", "must start with"),
        ("OLLAMA_HOST", "http://u:hunter2@x", "contains a credential"),
        ("OLLAMA_HOST", "http://x:99999", "not a URL"),
    ],
)
def test_a_variable_that_cannot_be_used_is_a_fault(detected, name: str, value: str, problem: str):
    with pytest.raises(ConfigError) as caught:
        detected(**{name: value})
    (fault,) = caught.value.faults
    assert (fault.file, fault.field) == ("environment", name)
    assert problem in fault.problem
    assert "hunter2" not in str(fault)
    assert "sk-1" not in str(fault)


def test_a_listening_server_is_detected(detected, open_port: int, closed_port: int):
    catalog = detected({"lmstudio": open_port, "vllm": closed_port})
    assert list(catalog.providers) == ["lmstudio", "sim", "local"]
    provider = catalog.providers["lmstudio"]
    assert provider.source == f"listening on 127.0.0.1:{open_port}"
    target = catalog.resolve("lmstudio/qwen:7b").targets[0]
    assert str(target.origin) == f"http://127.0.0.1:{open_port}"
    assert target.urls["chat"] == "/v1/chat/completions"


def test_an_address_in_the_environment_overrides_a_probe(detected, open_port: int):
    catalog = detected({"ollama": open_port}, OLLAMA_HOST="gpu-box")
    assert catalog.providers["ollama"].base_url == "http://gpu-box:11434/v1"


def test_all_ports_are_tried_at_once(open_port: int, closed_port: int):
    assert find_listening({"a": open_port, "b": closed_port, "c": open_port}) == {"a", "c"}
    assert find_listening({}) == frozenset()


def test_the_default_ports():
    expected = "ollama=11434 lmstudio=1234 vllm=8000 llamacpp=8080 sglang=30000 jan=1337 docker=12434 xinference=9997"
    assert [f"{kind}={port}" for kind, port in list_probes().items()] == expected.split()


AWS = {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "secret"}


@pytest.mark.parametrize("missing", [*AWS, "AWS_REGION"])
def test_signing_keys_make_a_provider_if_they_are_complete(detected, missing: str):
    environ = AWS | {"AWS_REGION": "eu-west-1"}
    provider = detected(**environ).providers["bedrock"]
    assert provider.key_source == "environment variables AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY"
    assert provider.param_sources == {"region": "environment variable AWS_REGION"}
    assert provider.key_state == "set"
    del environ[missing]
    assert "bedrock" not in detected(**environ).providers


def test_a_key_is_preferred_to_signing_keys(detected):
    catalog = detected(**AWS, AWS_DEFAULT_REGION="us-east-1", AWS_BEARER_TOKEN_BEDROCK="b", AWS_SESSION_TOKEN="s")
    target = catalog.resolve("bedrock/x").targets[0]
    assert (target.credential.reveal(), target.signing) == ("b", None)


def test_a_provider_is_detected_only_with_its_parameters(detected):
    assert "vertex" not in detected(GOOGLE_OAUTH_ACCESS_TOKEN="t").providers
    catalog = detected(GOOGLE_OAUTH_ACCESS_TOKEN="t", GOOGLE_CLOUD_PROJECT="p", GOOGLE_CLOUD_LOCATION="us-central1")
    assert catalog.providers["vertex"].base_url == "https://us-central1-aiplatform.googleapis.com/v1"
    assert "cloudflare" not in detected(CLOUDFLARE_API_TOKEN="t").providers
    assert "cloudflare" in detected(CLOUDFLARE_API_TOKEN="t", CLOUDFLARE_ACCOUNT_ID="a").providers


def test_a_parameter_that_cannot_be_used_is_a_fault(detected):
    with pytest.raises(ConfigError) as caught:
        detected(**AWS, AWS_REGION="eu-west-1.evil.example/")
    (fault,) = caught.value.faults
    assert (fault.file, fault.field) == ("environment", "AWS_REGION")
    assert "host name" in fault.problem


def test_a_host_without_a_scheme_gets_https_if_a_key_is_required(detected):
    provider = detected(DATABRICKS_TOKEN="t", DATABRICKS_HOST="dbc-1.cloud.databricks.com").providers["databricks"]
    assert provider.base_url == "https://dbc-1.cloud.databricks.com/serving-endpoints"


def test_kinds_that_share_variables_are_detected_once(detected):
    catalog = detected(
        AZURE_OPENAI_API_KEY="k", AZURE_OPENAI_ENDPOINT="https://a.example", **AWS, AWS_REGION="eu-west-1"
    )
    assert list(catalog.providers) == ["azure", "bedrock", "sim", "local"]


def test_every_detectable_kind_is_detected_from_its_first_variables(detected):
    rows = [kind for kind in load_kinds().values() if kind.detect and kind.key == "required"]
    assert len(rows) > 60
    for kind in rows:
        environ = {kind.env[0]: "k"} | {param.env[0]: "x1" for param in kind.params.values() if param.env}
        environ |= {kind.base_url_env[0]: "https://h.example"} if kind.base_url_env else {}
        wanted = [] if not kind.base_url and not kind.base_url_env else [kind.name]
        assert list(detected(**environ).providers) == [*wanted, "sim", "local"], kind.name


def test_a_file_is_the_whole_truth(files, open_port: int):
    files.path.write_text("version: 1\n", "utf-8")
    catalog = load_config(str(files.path), {"OPENAI_API_KEY": "k"}, probes={"ollama": open_port})
    assert list(catalog.providers) == ["sim", "local"]
