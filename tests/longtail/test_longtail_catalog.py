"""A configured provider behind LiteLLM becomes a target that the engine calls."""

import base64
import json
import re
from pathlib import Path
from typing import Any

import pytest

from antiphon.catalog import Catalog
from antiphon.config import load_config
from antiphon.config.effective import list_settings
from antiphon.types import Target

ENVIRON = {"KEY": "sk-secret-value-1", "AWS": "wJalr-secret", "REPLICATE_API_KEY": "r8-secret"}


def make_catalog(folder: Path, providers: dict[str, Any], **more: Any) -> Catalog:
    path = folder / "antiphon.yaml"
    path.write_text(json.dumps({"version": 1, "providers": providers, **more}), "utf-8")
    return load_config(str(path), ENVIRON)


def read_call_header(target: Target) -> dict[str, Any]:
    (header,) = (value for name, value in target.headers if name == "x-longtail-call")
    return json.loads(base64.b64decode(header))


# The six endpoints of an indexer: provider, model, and the model and parameters that LiteLLM gets.
ENDPOINTS = {
    "openai": ({"kind": "litellm", "api_key": "k"}, "gpt-4o-mini", "openai/gpt-4o-mini", {}),
    "anthropic": (
        {"kind": "litellm", "api_key": "k"},
        "claude-3-opus-20240229",
        "anthropic/claude-3-opus-20240229",
        {},
    ),
    "azure": (
        {
            "kind": "litellm",
            "api_key": "k",
            "base_url": "https://myazure.openai.azure.com/",
            "api_version": "2024-02-15-preview",
        },
        "azure/my-deployment-name",
        "azure/my-deployment-name",
        {"api_base": "https://myazure.openai.azure.com/", "api_version": "2024-02-15-preview"},
    ),
    "bedrock": (
        {
            "kind": "litellm",
            "params": {"aws_access_key_id": "AKID", "aws_secret_access_key": "${AWS}", "aws_region_name": "us-east-1"},
        },
        "bedrock/anthropic.claude-3-opus-20240229-v1:0",
        "bedrock/anthropic.claude-3-opus-20240229-v1:0",
        {"aws_access_key_id": "AKID", "aws_secret_access_key": "wJalr-secret", "aws_region_name": "us-east-1"},
    ),
    "ollama": (
        {"kind": "litellm", "base_url": "http://localhost:11434"},
        "ollama/llama2",
        "ollama/llama2",
        {"api_base": "http://localhost:11434"},
    ),
    "long tail": ({"via": "litellm", "kind": "watsonx"}, "ibm/granite:1", "watsonx/ibm/granite:1", {}),
}


@pytest.mark.parametrize("name", ENDPOINTS)
def test_an_endpoint_becomes_model_and_parameters_for_litellm(tmp_path: Path, name: str):
    provider, model, litellm_model, params = ENDPOINTS[name]
    target = make_catalog(tmp_path, {"lt": provider}).resolve(f"lt/{model}").targets[0]
    assert read_call_header(target) == {"model": litellm_model, "params": params}
    assert (target.origin.scheme, target.wire, target.model) == ("longtail", "openai", model)
    assert target.urls["chat"] == "/v1/chat/completions"
    assert {"embeddings", "rerank", "images", "speech"} <= set(target.urls)


def test_parameters_keep_their_types_and_headers_are_sent(tmp_path: Path):
    params = {"a": 1, "b": 1.5, "c": [True, {"d": "x"}], "e": "${KEY}"}
    provider = {"via": "litellm", "params": params, "headers": {"X-Team": "t"}}
    target = make_catalog(tmp_path, {"replicate": provider}).resolve("replicate/m").targets[0]
    assert read_call_header(target)["params"] == {
        "extra_headers": {"X-Team": "t"},
        "a": 1,
        "b": 1.5,
        "c": [True, {"d": "x"}],
        "e": "sk-secret-value-1",
    }


def test_a_key_is_the_configured_one_or_the_usual_variable_but_never_for_another_address(tmp_path: Path):
    providers = {
        "configured": {"via": "litellm", "kind": "replicate", "api_key": "${KEY}"},
        "usual": {"via": "litellm", "kind": "replicate"},
        "elsewhere": {"via": "litellm", "kind": "replicate", "base_url": "http://other.example"},
    }
    found = {name: make_catalog(tmp_path, providers).resolve(f"{name}/m").targets[0] for name in providers}
    assert found["configured"].credential is not None
    assert found["configured"].credential.reveal() == "sk-secret-value-1"
    assert found["usual"].credential is not None
    assert found["usual"].credential.reveal() == "r8-secret"
    assert found["elsewhere"].credential is None


def test_no_view_of_a_configuration_shows_a_parameter(tmp_path: Path):
    provider = {"via": "litellm", "params": {"aws_secret_access_key": "${AWS}"}, "api_key": "${KEY}"}
    found = make_catalog(tmp_path, {"bedrock": provider})
    values = {".".join(setting.path): setting.value for setting in list_settings(found)}
    assert values["providers.bedrock.via"] == "litellm"
    assert values["providers.bedrock.params.aws_secret_access_key"] == "(hidden)"
    text = f"{values} {found.providers} {found.providers['bedrock'].longtail!r} {found.resolve('bedrock/x').targets!r}"
    for secret in ENVIRON.values():
        assert secret not in text


def test_the_examples_of_the_page_load(tmp_path: Path):
    page = Path(__file__).resolve().parents[2] / "docs" / "longtail.md"
    examples = re.findall(r"^```yaml\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    examples = [example for example in examples if example.startswith("providers:")]
    assert len(examples) == 2
    environ = {name: "value" for example in examples for name in re.findall(r"\$\{(\w+)\}", example)}
    path = tmp_path / "antiphon.yaml"
    for example in examples:
        path.write_text(example, "utf-8")
        found = load_config(str(path), environ)
        assert all(found.providers[name].longtail for name in found.providers if name not in ("sim", "local"))
    model = found.resolve("my-azure/azure/my-deployment-name").targets[0]
    assert read_call_header(model)["params"]["api_base"] == "https://myazure.openai.azure.com/"


def test_settings_of_the_processes(tmp_path: Path):
    settings = make_catalog(tmp_path, {}, longtail={"workers": 3, "in_flight": 7}).settings
    assert (settings.longtail_workers, settings.longtail_in_flight) == (3, 7)
