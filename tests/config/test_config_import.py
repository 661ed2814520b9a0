"""An import of other programs' endpoints calls the same models, and reveals no secrets."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from antiphon.config import load_config
from processes import run_cli

SIX: dict[str, dict[str, Any]] = {
    "plain": {"type": "openai", "model": "gpt-4o-mini", "api_key": "sk-plain-secret"},
    "bare": {"type": "litellm", "litellm_model": "gpt-4o-mini", "api_key": "${OPENAI_KEY}"},
    "claude": {"type": "litellm", "litellm_model": "claude-3-opus-20240229", "api_key": "sk-ant-secret"},
    "azure": {
        "type": "litellm",
        "base_url": "https://myazure.openai.azure.com/",
        "api_version": "2024-02-15-preview",
        "litellm_model": "azure/my-deployment-name",
        "api_key": "azure-$$ecret",
    },
    "bedrock": {
        "type": "litellm",
        "litellm_model": "bedrock/anthropic.claude-3-opus-20240229-v1:0",
        "extra_params": {
            "aws_access_key_id": "AKIDEXAMPLE",
            "aws_secret_access_key": "wJalrXUtnFEMI",
            "aws_region_name": "us-east-1",
            "extra_headers": {"x-secret-team": "blue", "x-team": "red"},
        },
        "num_parallel_tasks": 4,
        "socket_path": "litellm.sock",
    },
    "ollama": {"type": "litellm", "base_url": "http://localhost:11434", "litellm_model": "ollama/llama2", "timeout": 5},
}
CALLS = {  # the model that a caller names: the model and parameters that LiteLLM receives
    "gpt-4o-mini@bare": ("openai/gpt-4o-mini", {}),
    "claude-3-opus-20240229": ("anthropic/claude-3-opus-20240229", {}),
    "my-deployment-name": (
        "azure/my-deployment-name",
        {"api_base": "https://myazure.openai.azure.com/", "api_version": "2024-02-15-preview"},
    ),
    "anthropic.claude-3-opus-20240229-v1:0": (
        "bedrock/anthropic.claude-3-opus-20240229-v1:0",
        SIX["bedrock"]["extra_params"],
    ),
    "llama2": ("ollama/llama2", {"api_base": "http://localhost:11434"}),
}
SECRETS = {
    "PLAIN_API_KEY": "sk-plain-secret",
    "OPENAI_KEY": "sk-bare-secret",
    "CLAUDE_API_KEY": "sk-ant-secret",
    "AZURE_API_KEY": "azure-$ecret",
    "BEDROCK_AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
    "BEDROCK_AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI",
    "BEDROCK_EXTRA_HEADERS_X_SECRET_TEAM": "blue",
}


def write(folder: Path, value: Any) -> Path:
    path = folder / "endpoints.yaml"
    path.write_text(value if isinstance(value, str) else json.dumps(value), "utf-8")
    return path


def read_envelope(target: Any) -> tuple[str, dict[str, Any]]:
    (header,) = (value for name, value in target.headers if name == "x-longtail-call")
    envelope = json.loads(base64.b64decode(header))
    return envelope["model"], envelope["params"]


@pytest.mark.parametrize("keep", [False, True], ids=["variables", "kept"])
def test_six_endpoints_call_the_same_models(tmp_path: Path, keep: bool) -> None:
    out = tmp_path / "antiphon.yaml"
    done = run_cli("config", "import", str(write(tmp_path, SIX)), "-o", str(out), *(["--keep-secrets"] if keep else []))
    assert out.stat().st_mode & 0o777 == 0o600
    text = out.read_text("utf-8")
    assert keep == any(secret in text for secret in SECRETS.values())
    assert not any(secret in done.stdout + done.stderr for secret in SECRETS.values())
    assert ("AZURE_API_KEY" in done.stderr) != keep
    assert "bedrock: num_parallel_tasks (4)" in done.stderr
    assert "bedrock: socket_path" in done.stderr

    catalog = load_config(str(out), {"OPENAI_KEY": "sk-bare-secret"} if keep else SECRETS)
    plain = catalog.resolve("gpt-4o-mini").targets[0]
    assert str(plain.origin) == "https://api.openai.com:443"
    assert plain.credential is not None
    assert plain.credential.reveal() == "sk-plain-secret"
    for name, expected in CALLS.items():
        target = catalog.resolve(name).targets[0]
        assert read_envelope(target) == expected, name
        assert target.timeouts.total == (5 if name == "llama2" else 60)
    azure = catalog.resolve("my-deployment-name").targets[0]
    assert azure.credential is not None
    assert azure.credential.reveal() == "azure-$ecret"


@pytest.mark.parametrize(
    "value",
    [
        {"type": "openai", "base_url": "http://localhost:1234/v1", "model": "m"},
        {"endpoint": {"type": "openai", "base_url": "http://localhost:1234/v1", "model": "m"}},
        {"endpoints": [{"type": "openai", "base_url": "http://localhost:1234/v1", "model": "m"}]},
        {"endpoints": {"localhost": {"type": "openai", "base_url": "http://localhost:1234/v1", "model": "m"}}},
        {"localhost": {"type": "openai", "base_url": "http://localhost:1234/v1", "model": "m"}},
    ],
    ids=["block", "endpoint", "list", "named endpoints", "named"],
)
def test_a_file_is_one_endpoint_or_several(tmp_path: Path, value: Any) -> None:
    out = tmp_path / "antiphon.yaml"
    run_cli("config", "import", str(write(tmp_path, value)), "-o", str(out))
    target = load_config(str(out), {}).resolve("m").targets[0]
    assert (target.name, str(target.origin), target.urls["chat"]) == (
        "localhost/m",
        "http://localhost:1234",
        "/v1/chat/completions",
    )


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        ("type: litelm\nlitellm_model: azure/x", ["endpoints.yaml:1: type: expected openai or litellm", "`litellm`?"]),
        ("type: openai\nmodl: x", ["endpoints.yaml:2: modl: unknown key (did you mean `model`?)"]),
        ("a: {type: openai}", ["a: has no `model`"]),
        ("a: {type: litellm}", ["a: has no `litellm_model`"]),
        ("type: openai\nmodel: m\nextra_params: {a: 1}", [":3: extra_params: is not for `type: openai`"]),
        ("type: openai\nmodel: m\ntimeout: -1", [":3: timeout:"]),
        ("a: text", ["a: expected an endpoint", "found text"]),
        ("{}", ["has no endpoint"]),
        ("type: [", ["is not YAML"]),
        ("type: litellm\nlitellm_model: x/y\nbase_url: nowhere", ["the import of", "base_url"]),
    ],
)
def test_invalid_endpoints_are_reported(tmp_path: Path, text: str, messages: list[str]) -> None:
    done = run_cli("config", "import", str(write(tmp_path, text)), check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert all(part in done.stderr for part in messages), done.stderr
    assert "Traceback" not in done.stderr


def test_no_file_is_overwritten_and_no_secret_printed(tmp_path: Path) -> None:
    source = write(tmp_path, SIX)
    existing = tmp_path / "antiphon.yaml"
    existing.write_text("mine")
    done = run_cli("config", "import", str(source), "-o", str(existing), check=False)
    assert done.returncode == 1
    assert existing.read_text() == "mine"
    assert run_cli("config", "import", str(source), "--keep-secrets", check=False).returncode == 2
    assert "cannot be read" in run_cli("config", "import", str(tmp_path / "none"), check=False).stderr
