"""The programs that are measured: how each is started in front of the same two providers, and how it is called."""

import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from bench import nginx
from bench.machine import find_free_port
from bench.process import ROOT, Process, build_command, wait_ready

PATH = "/v1/chat/completions"
ON, OFF, BARE = "antiphon, all on", "antiphon, all off", "bare Python"


@dataclass(frozen=True)
class Stage:
    """The providers and cores shared by every subject, and the folder of this run."""

    folder: Path
    load_core: int
    core: int
    whole: int
    """Port of the provider that answers at once."""
    paced: int
    """Port of the provider that streams."""
    litellm: Path | None = None
    profile: Path | None = None


@dataclass
class Subject:
    """A program under load: the paths, models and key of its calls."""

    name: str
    process: Process
    port: int
    whole_path: str = PATH
    paced_path: str = PATH
    whole_model: str = "bench"
    paced_model: str = "bench-paced"
    hold_model: str = "bench-hold"
    key: str = "bench"
    can_hold: int = 1_000_000
    """How many idle streams it can open within a minute."""
    ready: list[float] = field(default_factory=list)
    """Seconds from each start until it was ready."""

    def build_url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"


def make_provider_subject(stage: Stage, process: Process) -> Subject:
    """Return the provider as a subject, whose latency the others are compared with."""
    return Subject("direct", process, stage.whole)


def start_nginx(stage: Stage) -> Subject:
    port = find_free_port()
    process = nginx.start_proxy(stage.folder / f"nginx-{port}", stage.core, port, stage.whole, stage.paced)
    return Subject("nginx", process, port, whole_path=f"/whole{PATH}", paced_path=f"/paced{PATH}")


def start_bare(stage: Stage) -> Subject:
    port = find_free_port()
    command = build_command("bench.bare", "--port", port, "--whole", stage.whole, "--paced", stage.paced)
    process = Process(command, stage.core, stage.folder / "bare.log")
    ready = wait_ready(process, port)
    return Subject(BARE, process, port, f"/whole{PATH}", f"/paced{PATH}", ready=[ready])


def start_antiphon_off(stage: Stage) -> Subject:
    return start_antiphon(stage, OFF, "off")


def start_antiphon_on(stage: Stage) -> Subject:
    return start_antiphon(stage, ON, "on")


SWITCHES = {
    "on": "server: {{host: 127.0.0.1, port: {port}, auth: keys}}",
    "off": "server: {{host: 127.0.0.1, port: {port}, auth: open}}",
}

CONFIG = """\
version: 1
{switches}
data: {data}
providers:
  whole: {{kind: openai, base_url: "http://127.0.0.1:{whole}/v1", api_key: bench}}
  paced: {{kind: openai, base_url: "http://127.0.0.1:{paced}/v1", api_key: bench}}
  whole-messages: {{kind: anthropic, base_url: "http://127.0.0.1:{whole}", api_key: bench}}
  paced-messages: {{kind: anthropic, base_url: "http://127.0.0.1:{paced}", api_key: bench}}
models:
  bench: whole/bench
  bench-paced: paced/bench
  bench-hold: paced/bench-hold
  bench-messages: whole-messages/bench
  bench-messages-paced: paced-messages/bench
"""


def start_antiphon(stage: Stage, name: str, mode: str, folder: Path | None = None) -> Subject:
    """Start the gateway; ``folder`` may hold the data of an earlier start."""
    folder = folder or stage.folder / f"antiphon-{mode}-{time.monotonic_ns()}"
    folder.mkdir(exist_ok=True)
    port = find_free_port()
    config = folder / "antiphon.yaml"
    switches = SWITCHES[mode].format(port=port)
    text = CONFIG.format(switches=switches, data=folder / "data", whole=stage.whole, paced=stage.paced)
    config.write_text(text, encoding="utf-8")
    process = Process(build_gateway_command(stage, mode, config), stage.core, folder / "log")
    ready = wait_ready(process, port)
    return Subject(name, process, port, key=read_admin_key(folder / "data") or "bench", ready=[ready])


def build_gateway_command(stage: Stage, mode: str, config: Path) -> list[str]:
    """Return the command of the gateway: as installed, under the profiler, or with everything off."""
    if mode == "off":
        return build_command("bench.off", config)
    if stage.profile is not None:
        return build_command("bench.profiled", stage.profile, "serve", "--config", config)
    return [str(Path(sys.executable).with_name("antiphon")), "serve", "--config", str(config)]


def read_admin_key(data: Path) -> str:
    file = data / "admin.key"
    return file.read_text(encoding="utf-8").strip() if file.exists() else ""


def start_litellm(stage: Stage) -> Subject:
    """Start LiteLLM's proxy from the environment that ``--litellm`` names."""
    assert stage.litellm is not None
    port = find_free_port()
    folder = stage.folder / f"litellm-{port}"
    folder.mkdir()
    models = {
        "bench": (stage.whole, "bench"),
        "bench-paced": (stage.paced, "bench"),
        "bench-hold": (stage.paced, "bench-hold"),
    }
    entries = [
        {
            "model_name": name,
            "litellm_params": {
                "model": f"openai/{model}",
                "api_base": f"http://127.0.0.1:{upstream}/v1",
                "api_key": "bench",
            },
        }
        for name, (upstream, model) in models.items()
    ]
    config = folder / "config.yaml"
    config.write_text(json.dumps({"model_list": entries, "general_settings": {"master_key": "sk-bench"}}))
    command = [
        str(stage.litellm / "bin" / "litellm"),
        "--config",
        str(config),
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
    ]
    environ = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR"}
    process = Process(command, stage.core, folder / "log", environ)
    ready = wait_ready(process, port, "/health/liveliness")
    return Subject("LiteLLM proxy", process, port, key="sk-bench", can_hold=200, ready=[ready])


STARTERS: dict[str, Callable[[Stage], Subject]] = {
    "nginx": start_nginx,
    "bare": start_bare,
    "off": start_antiphon_off,
    "on": start_antiphon_on,
    "litellm": start_litellm,
}

__all__ = [
    "BARE",
    "OFF",
    "ON",
    "PATH",
    "ROOT",
    "STARTERS",
    "Stage",
    "Subject",
    "make_provider_subject",
    "start_antiphon",
]
