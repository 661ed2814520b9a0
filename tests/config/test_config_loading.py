"""Valid files: the catalog they become, and that no secret is visible in it."""

import pickle

import msgspec
import pytest

from antiphon.config import load_config
from antiphon.config.effective import list_settings
from antiphon.errors import ConfigError, ModelNotFound
from antiphon.types import Model, Origin, Strategy, Timeouts, Usage

EXAMPLE = """
version: 1
server: {host: 127.0.0.1, port: 7777, auth: keys}     # auth: open is allowed on loopback only
data: ./data                                          # journal and SQLite
providers:
  openai:    {api_key: ${OPENAI_API_KEY}}
  azure-eu:  {kind: azure, base_url: https://x.openai.azure.com, api_version: 2024-10-21, api_key: ${AZURE_API_KEY}}
  ollama:    {base_url: http://localhost:11434}
models:
  gpt-4o-mini: openai/gpt-4o-mini
  smart:
    aliases: [best]
    targets:
      - {model: openai/gpt-4o, weight: 7}
      - {model: azure-eu/gpt-4o, weight: 3}
    strategy: weighted
    fallbacks: [gpt-4o-mini, ollama/llama3.2:3b]
"""


def test_the_example_loads_and_resolves(files):
    catalog = files.load(EXAMPLE)
    assert list(catalog.providers) == ["openai", "azure-eu", "ollama", "sim", "local"]
    model = catalog.resolve("best")
    assert model.name == "best"
    names = ["openai/gpt-4o", "azure-eu/gpt-4o", "openai/gpt-4o-mini", "ollama/llama3.2:3b"]
    assert [target.name for target in model.targets] == names
    assert describe_tiers(model) == [
        (names[:2], (7, 3), Strategy.WEIGHTED),
        (names[2:3], (), Strategy.ORDER),
        (names[3:], (), Strategy.ORDER),
    ]
    assert [target.credential.reveal() for target in model.targets if target.credential] == [
        "sk-openai-secret",
        "azure-secret",
        "sk-openai-secret",
    ]
    assert model.targets[3].origin == Origin("http", "localhost", 11434)
    assert model.targets[3].auth is None


def describe_tiers(model: Model) -> list[tuple[list[str], tuple[int, ...], Strategy]]:
    return [([target.name for target in tier.targets], tier.weights, tier.strategy) for tier in model.tiers]


def test_a_catalog_resolves_a_name_to_the_same_object(files):
    catalog = files.load(EXAMPLE)
    assert catalog.resolve("smart") is catalog.resolve("smart")


def test_the_cache_of_resolved_names_is_bounded(files):
    catalog = files.load(EXAMPLE)
    for number in range(10_000):
        catalog.resolve(f"ollama/m{number}")
    assert len(catalog._resolved) <= 4096


@pytest.mark.parametrize(
    ("weights", "strategy", "expected", "expected_strategy"),
    [
        ((None, None), None, (), Strategy.ORDER),
        ((None, None), "weighted", (1, 1), Strategy.WEIGHTED),
        ((3, None), None, (3, 1), Strategy.WEIGHTED),
        ((0, 2), None, (0, 2), Strategy.WEIGHTED),
        ((None, None), "order", (), Strategy.ORDER),
    ],
)
def test_a_weight_means_weighted(files, weights, strategy, expected, expected_strategy):
    targets = [
        f"{{model: sim/{name}{'' if weight is None else f', weight: {weight}'}}}"
        for name, weight in zip(("echo", "fast"), weights, strict=True)
    ]
    line = f"    strategy: {strategy}\n" if strategy else ""
    model = files.load(f"models:\n  a:\n    targets: [{', '.join(targets)}]\n{line}").resolve("a")
    assert describe_tiers(model) == [(["sim/echo", "sim/fast"], expected, expected_strategy)]


def test_fallbacks_of_fallbacks_follow_in_order_without_repetition(files):
    catalog = files.load(
        """
        models:
          a: {targets: [sim/a], fallbacks: [b, sim/z]}
          b: {targets: [{model: sim/b, weight: 5}, sim/a], fallbacks: [c]}
          c: {targets: [sim/c, sim/b]}
        """
    )
    model = catalog.resolve("a")
    assert describe_tiers(model) == [
        (["sim/a"], (), Strategy.ORDER),
        (["sim/b"], (5,), Strategy.WEIGHTED),
        (["sim/c"], (), Strategy.ORDER),
        (["sim/z"], (), Strategy.ORDER),
    ]


def test_variables_defaults_and_dollars(files):
    catalog = files.load(
        """
        server: {port: ${PORT:-7777}, heartbeat: ${BEAT}, host: ${HOST}}
        data: "${BASE}/x/$$HOME/${NAME:-a-b}"
        durability: ${SAFE}
        sim: ${SIM}
        """,
        {"BEAT": "2.5", "HOST": "::1", "BASE": "/srv", "NAME": "", "SAFE": "disk", "SIM": "false"},
    )
    settings = catalog.settings
    assert (settings.port, settings.heartbeat, settings.host) == (7777, 2.5, "::1")
    assert (settings.data, settings.durability) == ("/srv/x/$HOME/a-b", "disk")
    assert list(catalog.providers) == ["local"]


def test_metrics_need_an_admin_key_unless_the_file_opens_them(files):
    assert files.load("server: {}\n").settings.metrics == "admin"
    catalog = files.load("server: {metrics: open}\n")
    assert catalog.settings.metrics == "open"
    (setting,) = (each for each in list_settings(catalog) if each.path == ("server", "metrics"))
    assert (setting.value, setting.source) == ("open", catalog.get_source("server.metrics"))
    assert setting.source.endswith(":1")


def test_text_that_resembles_another_type_stays_text(files):
    catalog = files.load(
        """
        data: no
        providers:
          ollama: {base_url: http://h, models: [on, 12:30, 2024-10-21, llama3.2:3b, ~user, 0x1F]}
        """
    )
    assert catalog.settings.data == "no"
    assert catalog.providers["ollama"].models == ("on", "12:30", "2024-10-21", "llama3.2:3b", "~user", "0x1F")


def test_anchors_and_merges(files):
    catalog = files.load(
        """
        timeouts: &patient {idle: 90, total: 1200}
        providers:
          ollama:
            timeouts: {<<: *patient, total: 60}
          vllm:
            timeouts: *patient
        """
    )
    assert catalog.providers["ollama"].timeouts == Timeouts(idle=90, total=60)
    assert catalog.providers["vllm"].timeouts == Timeouts(idle=90, total=1200)


def test_a_providers_timeouts_default_to_the_general_ones(files):
    catalog = files.load("timeouts: {idle: 7}\nproviders: {ollama: {timeouts: {connect: 1}}}\n")
    assert catalog.resolve("ollama/x").targets[0].timeouts == Timeouts(connect=1, idle=7)
    assert catalog.resolve("sim/echo").targets[0].timeouts == Timeouts(idle=7)


@pytest.mark.parametrize(
    ("text", "size"), [("5000", 5000), ("64KiB", 65536), ("2 MiB", 2 * 1024**2), ("1GiB", 1024**3)]
)
def test_sizes(files, text: str, size: int):
    assert files.load(f"server: {{body_limit: {text}}}\n").settings.body_limit == size


def test_an_empty_file_has_all_defaults(files):
    for text in ("", "# nothing\n", "providers:\nmodels:\nserver:\n"):
        catalog = files.load(text)
        assert list(catalog.providers) == ["sim", "local"]
        assert catalog.settings.port == 7777


def test_the_simulator_can_be_switched_off(files):
    catalog = files.load("sim: false\n")
    with pytest.raises(ModelNotFound):
        catalog.resolve("sim/echo")


def test_the_usual_variable_is_the_key_if_the_file_states_none(files):
    catalog = files.load("providers: {groq: }\n")
    provider = catalog.providers["groq"]
    assert provider.credential is not None
    assert provider.credential.reveal() == "gsk-secret"
    assert provider.key_source == "environment variable GROQ_API_KEY"


def test_an_optional_key_from_the_environment_is_not_sent_to_a_custom_address(files):
    catalog = files.load("providers: {vllm: {base_url: http://elsewhere}}\n", {"VLLM_API_KEY": "secret"})
    assert catalog.providers["vllm"].credential is None


def test_a_configured_price_is_exact_versioned_and_complete(files):
    catalog = files.load(
        """
        models:
          a: {targets: [sim/echo], price: {input: 0.1, output: 1.000001}, fallbacks: [b]}
          b: {targets: [sim/fast]}
          c: {targets: [sim/echo], price: {input: 0.10, output: 1.000001}}
          d: {targets: [sim/echo], price: {input: 0.2, output: 3, cache_read: 0, audio_input: 5}}
        """
    )
    own, fallback = catalog.resolve("a").targets
    assert own.price is not None
    assert (own.price.input, own.price.output) == (100_000, 1_000_001)
    assert own.price.version.startswith("config:")
    assert len(own.price.version) == len("config:") + 8
    assert fallback.price is not None
    assert fallback.price.version == "kind:sim"
    assert catalog.resolve("c").targets[0].price == own.price
    other = catalog.resolve("d").targets[0].price
    assert other is not None
    assert other.version != own.price.version
    assert (other.cache_read, other.cache_write, other.image_input, other.reasoning) == (0, 200_000, 200_000, 3_000_000)
    assert (other.audio_input, other.audio_output) == (5_000_000, None)
    assert other.compute_cost(Usage(input=3, cache_read=9, output=2)) == 3 * 200_000 + 2 * 3_000_000
    assert other.compute_cost(Usage(audio_output=1)) is None


def test_provider_headers_reach_the_target(files):
    catalog = files.load("providers: {ollama: {headers: {X-Team: ${TEAM}}}}\n", {"TEAM": "red"})
    assert catalog.resolve("ollama/x").targets[0].headers == (("x-team", "red"),)


def test_a_socket_file_is_an_address(files):
    catalog = files.load(
        "providers:\n  llamacpp: {base_url: 'unix:///run/llama.sock'}\n  vllm: {base_url: 'unix:///run/v.sock:/api'}\n"
    )
    target = catalog.resolve("llamacpp/x").targets[0]
    assert target.origin == Origin("http", "localhost", 80, "/run/llama.sock")
    assert target.urls["chat"] == "/v1/chat/completions"
    assert catalog.resolve("vllm/x").targets[0].urls["chat"] == "/api/chat/completions"
    assert catalog.providers["vllm"].base_url == "unix:///run/v.sock:/api"


def test_a_named_file_must_exist():
    with pytest.raises(ConfigError, match=r"none.yaml.*No such file"):
        load_config("none.yaml", {})


def test_the_file_in_the_working_directory_is_used(files, tmp_path):
    files.load("server: {port: 1234}\n")
    catalog = load_config(environ={})
    assert (catalog.settings.port, catalog.file) == (1234, "antiphon.yaml")
    assert catalog.get_source("server.port") == "antiphon.yaml:1"
    assert catalog.get_source("server.host") == "default"


def test_the_command_line_overrides_the_file(files):
    files.load("data: here\n")
    catalog = load_config(environ={}, data="there").override(host="::1", port=0, auth="open")
    settings = catalog.settings
    assert (settings.data, settings.host, settings.port, settings.auth) == ("there", "::1", 0, "open")
    assert catalog.get_source("data") == catalog.get_source("server.port") == "command line"
    with pytest.raises(ConfigError, match="loopback"):
        catalog.override(host="0.0.0.0")
    with pytest.raises(ConfigError, match="65535"):
        catalog.override(port=70_000)
    with pytest.raises(ConfigError, match="is empty"):
        load_config(environ={}, data="")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost", "LOCALHOST"])
def test_open_is_allowed_on_loopback(files, host: str):
    assert files.load(f"server: {{auth: open, host: '{host}'}}\n").settings.auth == "open"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "127.0.0.1.example", "127.example", "127.0.0.999"])
def test_open_is_rejected_on_any_other_address(files, host: str):
    assert files.find_fault(f"server: {{auth: open, host: '{host}'}}\n").field == "server.auth"


def test_no_secret_is_visible(files):
    environ = {"OPENAI_API_KEY": "sk-hunter2", "TOKEN": "hunter2-header"}
    catalog = files.load(
        """
        providers:
          openai: {api_key: ${OPENAI_API_KEY}, headers: {x-team: ${TOKEN}}}
          groq: {api_key: literal-hunter2}
        models: {a: {targets: [openai/gpt-4o]}}
        """,
        environ,
    )
    shown = list_settings(catalog)
    models = [catalog.resolve(name) for name in ("a", "groq/x")]
    for value in (shown, catalog.list_models()):
        assert "hunter2" not in msgspec.json.encode(value).decode()
    for value in (shown, models, catalog.providers, catalog.routes, catalog.settings, catalog.sources, vars(catalog)):
        assert "hunter2" not in repr(value)
        assert "hunter2" not in f"{value}"
    keys = {setting.path[1]: setting for setting in shown if setting.path[-1] == "api_key"}
    assert keys["openai"].source.endswith(":2 (environment variable OPENAI_API_KEY)")
    assert keys["groq"].source.endswith(":3")
    for model in models:
        with pytest.raises(TypeError):
            pickle.dumps(model.targets[0].credential)


def test_every_effective_value_has_a_source(files):
    catalog = files.load(EXAMPLE)
    shown = {".".join(setting.path): setting for setting in list_settings(catalog)}
    assert shown["server.port"].source.endswith("antiphon.yaml:2")
    assert shown["server.drain"].source == "default"
    assert shown["models.smart.targets"].source.endswith("antiphon.yaml:12")
    assert shown["models.gpt-4o-mini.targets"].source.endswith("antiphon.yaml:9")
    assert shown["providers.ollama.base_url"].value == "http://localhost:11434/v1"
    assert shown["providers.sim.kind"].source == "built in"
