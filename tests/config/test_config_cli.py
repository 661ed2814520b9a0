"""The commands as processes: their output, their exit codes, and that they never print a secret."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from antiphon.config.schema import make_json_schema

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def antiphon(tmp_path: Path):
    def run(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        clean = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONWARNINGS": "error", **environ}
        command = [sys.executable, "-m", "antiphon", *arguments]
        return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=clean, check=False)

    return run


BROKEN = """\
version: 1
serve: {port: 1}
providers:
  openai: {api_key: ${OPENAI_API_KEY}}
models:
  a: {targets: [openai/x], fallbacks: [b]}
  b: {targets: [sim/echo], fallbacks: [a], aliases: [a]}
"""

VALID = """\
providers:
  openai: {api_key: ${OPENAI_API_KEY}}
models:
  smart: {targets: [openai/gpt-4o, openai/brand-new], price: {input: 2.5, output: 10}}
  new: openai/brand-new
"""


def test_check_lists_every_fault_and_exits_with_2(antiphon, tmp_path: Path):
    (tmp_path / "antiphon.yaml").write_text(BROKEN, "utf-8")
    result = antiphon("config", "check")
    assert result.returncode == 2
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert [line.split(": ")[1] for line in lines] == [f"antiphon.yaml:{number}" for number in (2, 4, 6, 7)]
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("command", [["config", "show"], ["models"], ["providers"]])
def test_every_command_exits_with_2_for_an_invalid_file(antiphon, tmp_path: Path, command: list[str]):
    (tmp_path / "other.yaml").write_text(BROKEN, "utf-8")
    result = antiphon(*command, "--config", "other.yaml")
    assert result.returncode == 2
    assert len(result.stderr.splitlines()) == 4
    assert "Traceback" not in result.stderr


def test_faults_as_json(antiphon, tmp_path: Path):
    (tmp_path / "antiphon.yaml").write_text(BROKEN, "utf-8")
    result = antiphon("config", "check", "--json")
    assert result.returncode == 2
    report = json.loads(result.stdout)
    assert report["ok"] is False
    assert [fault["line"] for fault in report["faults"]] == [2, 4, 6, 7]
    assert report["faults"][0] == {
        "file": "antiphon.yaml",
        "line": 2,
        "field": "serve",
        "problem": "unknown key",
        "hint": "did you mean `server`?",
    }


def test_a_valid_file_is_ok(antiphon, tmp_path: Path):
    (tmp_path / "antiphon.yaml").write_text(VALID, "utf-8")
    result = antiphon("config", "check", OPENAI_API_KEY="hunter2")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == "antiphon.yaml: OK; 3 providers (openai, sim, local), 2 models\n"
    report = json.loads(antiphon("config", "check", "--json", OPENAI_API_KEY="hunter2").stdout)
    providers = ["openai", "sim", "local"]
    assert report == {"ok": True, "file": "antiphon.yaml", "providers": providers, "models": ["smart", "new"]}


def test_check_hints_at_a_missing_litellm(antiphon, tmp_path: Path):
    (tmp_path / "antiphon.yaml").write_text("providers: {watsonx: {via: litellm}, sap: {via: litellm}}\n", "utf-8")
    result = antiphon("config", "check", XDG_DATA_HOME=str(tmp_path))
    assert result.returncode == 0, result.stderr
    assert result.stderr == (
        "hint: watsonx, sap: reached through LiteLLM, which is not installed; run `antiphon longtail install`\n"
    )


def test_show_prints_sources_and_hides_secrets(antiphon, tmp_path: Path):
    (tmp_path / "antiphon.yaml").write_text(VALID, "utf-8")
    text = antiphon("config", "show", OPENAI_API_KEY="hunter2")
    data = antiphon("config", "show", "--json", OPENAI_API_KEY="hunter2")
    for result in (text, data):
        assert result.returncode == 0, result.stderr
        assert "hunter2" not in result.stdout + result.stderr
    assert "# antiphon.yaml:2 (environment variable OPENAI_API_KEY)" in text.stdout
    values = json.loads(data.stdout)["values"]
    assert values["providers"]["openai"]["api_key"] == {
        "value": "(hidden)",
        "source": "antiphon.yaml:2 (environment variable OPENAI_API_KEY)",
    }
    assert values["server"]["port"] == {"value": 7777, "source": "default"}
    assert values["models"]["smart"]["price"]["value"]["output"] == "$10.00"


def test_models_prints_unknown_instead_of_zero(antiphon, tmp_path: Path):
    (tmp_path / "antiphon.yaml").write_text(VALID, "utf-8")
    result = antiphon("models", OPENAI_API_KEY="k")
    rows = {line.split()[0]: line.split() for line in result.stdout.splitlines()}
    assert rows["smart"][1:] == ["openai", "128000", "$2.50", "$10.00", "-", "mid"]
    assert rows["new"][1:] == ["openai", "-", "unknown", "unknown", "-", "unknown"]
    assert rows["sim/echo"][1:] == ["sim", "-", "$0.15", "$0.60", "-", "low"]
    [speech] = [line for line in result.stdout.splitlines() if line.startswith("openai/tts-1 ")]
    assert speech.split()[1:] == ["openai", "-", "-", "-", "$0.000015/character", "unknown"]
    only = antiphon("models", "--provider", "sim", "--json", OPENAI_API_KEY="k")
    assert {entry["owned_by"] for entry in json.loads(only.stdout)} == {"sim"}
    unknown = antiphon("models", "--provider", "opena", OPENAI_API_KEY="k")
    assert unknown.returncode == 2
    assert "there are: openai, sim" in unknown.stderr


def test_providers_prints_the_state_of_keys_but_no_key(antiphon):
    result = antiphon("providers", "--json", GROQ_API_KEY="hunter2", OLLAMA_HOST="gpu-box")
    assert result.returncode == 0, result.stderr
    assert "hunter2" not in result.stdout
    rows = {row["name"]: row for row in json.loads(result.stdout)}
    assert rows["groq"] == {
        "name": "groq",
        "kind": "groq",
        "base_url": "https://api.groq.com/openai/v1",
        "key": "set",
        "source": "environment variable GROQ_API_KEY",
    }
    assert rows["ollama"]["key"] == "not needed"
    assert "groq" in antiphon("providers", GROQ_API_KEY="hunter2").stdout


def test_the_schema_is_the_published_one(antiphon):
    printed = json.loads(antiphon("config", "schema").stdout)
    assert printed == make_json_schema() == json.loads((ROOT / "docs/antiphon.schema.json").read_text("utf-8"))


def test_the_schema_has_the_short_forms_and_no_null():
    schema = make_json_schema()
    assert schema["properties"]["models"]["additionalProperties"]["anyOf"][0] == {"type": "string"}
    assert schema["$defs"]["ModelBlock"]["properties"]["targets"]["items"]["anyOf"][0] == {"type": "string"}
    assert schema["additionalProperties"] is False
    assert all(block["additionalProperties"] is False for block in schema["$defs"].values())
    assert schema["$defs"]["ProviderBlock"]["properties"]["api_key"]["type"] == "string"
    text = json.dumps(schema)
    assert text.count('"null"') == 1


def test_without_a_file_nothing_heavy_is_imported():
    program = (
        "import sys; from antiphon.config import load_config\n"
        "load_config(environ={'OPENAI_API_KEY': 'k'}, probes={}).resolve('gpt-4o')\n"
        "print(sorted({'pydantic', 'yaml', 'sqlalchemy', 'typer', 'rich', 'asyncio'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
