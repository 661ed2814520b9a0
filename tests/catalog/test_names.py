"""The resolution of model names, and the error for a name without a model."""

import pytest

from antiphon.catalog.models import load_facts
from antiphon.errors import ModelNotFound


@pytest.fixture
def catalog(detected):
    return detected(OPENAI_API_KEY="o", GROQ_API_KEY="g", OPENROUTER_API_KEY="r", HF_TOKEN="h", OLLAMA_HOST="127.0.0.1")


@pytest.mark.parametrize(
    ("name", "provider", "model"),
    [
        ("openai/gpt-4o", "openai", "gpt-4o"),
        ("openrouter/meta-llama/llama-3.3-70b-instruct:free", "openrouter", "meta-llama/llama-3.3-70b-instruct:free"),
        ("openrouter/openai/gpt-4o", "openrouter", "openai/gpt-4o"),
        ("huggingface/openai/gpt-oss-120b:groq", "huggingface", "openai/gpt-oss-120b:groq"),
        ("ollama/llama3.2:3b", "ollama", "llama3.2:3b"),
        ("ollama/a//b", "ollama", "a//b"),
        ("sim/echo:tps=50:first=0.5", "sim", "echo:tps=50:first=0.5"),
        ("openai/not/known/at:all", "openai", "not/known/at:all"),
        ("gpt-4o", "openai", "gpt-4o"),
        ("llama-3.3-70b-versatile", "groq", "llama-3.3-70b-versatile"),
        ("meta-llama/llama-3.3-70b-instruct:free", "openrouter", "meta-llama/llama-3.3-70b-instruct:free"),
    ],
)
def test_a_name_resolves(catalog, name: str, provider: str, model: str):
    resolved = catalog.resolve(name)
    (target,) = resolved.targets
    assert (resolved.name, target.provider, target.model, target.name) == (name, provider, model, f"{provider}/{model}")
    assert [tier.targets for tier in resolved.tiers] == [resolved.targets]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("gpt-4o-mii", "`gpt-4o-mini`"),
        ("GPT-4o", "`gpt-4o"),
        ("openia/gpt-4o", "`openai/gpt-4o`"),
        ("grok-4.5", "set XAI_API_KEY"),
        ("completely-unknown", "`provider/model` with one of these providers: openai, groq"),
        ("openai/", "openai"),
        ("/gpt-4o", "does not exist"),
        ("", "does not exist"),
        ("a\r\nb", "characters that no name has"),
        ("x" * 5000, "too long"),
    ],
)
def test_an_unknown_name_gets_a_suggestion(catalog, name: str, message: str):
    with pytest.raises(ModelNotFound) as caught:
        catalog.resolve(name)
    assert message in caught.value.message
    assert (caught.value.status, caught.value.code, caught.value.param) == (404, "model_not_found", "model")
    assert len(caught.value.message) < 400
    assert caught.value.message.isprintable()


def test_a_bare_name_resolves_to_the_first_provider_that_has_it(files):
    both = "providers:\n  {}: {{kind: {}, api_key: k}}\n  {}: {{kind: {}, api_key: k}}\n"
    groq_first = files.load(both.format("one", "groq", "two", "together"))
    together_first = files.load(both.format("two", "together", "one", "groq"))
    assert groq_first.resolve("openai/gpt-oss-120b").targets[0].provider == "one"
    assert together_first.resolve("openai/gpt-oss-120b").targets[0].provider == "two"


def test_a_configured_name_comes_first(files):
    catalog = files.load(
        """
        providers: {openai: {}}
        models:
          gpt-4o: sim/echo
          openai/gpt-4o-mini: {targets: [openai/gpt-4o-mini], fallbacks: [openai/gpt-4.1]}
        """
    )
    assert catalog.resolve("gpt-4o").targets[0].name == "sim/echo"
    names = [target.name for target in catalog.resolve("openai/gpt-4o-mini").targets]
    assert names == ["openai/gpt-4o-mini", "openai/gpt-4.1"]


def test_names_that_a_provider_lists_are_bare_names(files):
    catalog = files.load("providers: {ollama: {models: [llama3.2:3b]}}\n")
    assert catalog.resolve("llama3.2:3b").targets[0].name == "ollama/llama3.2:3b"
    with pytest.raises(ModelNotFound):
        catalog.resolve("mistral:7b")


def test_the_operator_chooses_the_names_of_deployments(detected):
    catalog = detected(AZURE_API_KEY="k", AZURE_API_BASE="https://x.openai.azure.com")
    with pytest.raises(ModelNotFound):
        catalog.resolve("gpt-4o")
    price = catalog.resolve("azure/gpt-4o").targets[0].price
    assert price is not None
    assert price.input == 2_500_000
    assert catalog.resolve("azure/my-deployment").targets[0].price is None


def test_the_list_of_models(files):
    catalog = files.load(
        """
        providers:
          openai: {}
          azure: {base_url: https://x.openai.azure.com, api_key: k, models: [our-gpt]}
        models:
          smart: {targets: [openai/gpt-4o], aliases: [best], price: {input: 7, output: 9}}
        """
    )
    listed = {entry["id"]: entry for entry in catalog.list_models()}
    assert len(listed) == len(catalog.list_models())
    assert list(listed)[:2] == ["smart", "best"]
    assert {"openai/gpt-4o-mini", "azure/our-gpt", "sim/echo"} <= set(listed)
    assert "azure/gpt-4o" not in listed
    known = listed["openai/gpt-4o-mini"]
    assert known["object"] == "model"
    assert known["owned_by"] == "openai"
    assert type(known["created"]) is int
    assert (known["context"], known["tier"]) == (128_000, "low")
    assert known["price"] == {"version": "litellm-1.109.1", "input": 150_000, "output": 600_000}
    assert listed["best"]["price"]["input"] == 7_000_000
    by_second = {"version": "litellm-1.109.1", "input": None, "output": None, "seconds": 10**8}
    assert (listed["openai/whisper-1"]["operation"], listed["openai/whisper-1"]["price"]) == (
        "transcriptions",
        by_second,
    )
    assert "price" not in listed["azure/our-gpt"]
    for name in listed:
        assert catalog.resolve(name).targets


def test_every_known_model_of_every_kind_resolves(detected):
    catalog = detected(
        OPENAI_API_KEY="k", GROQ_API_KEY="k", MISTRAL_API_KEY="k", DEEPSEEK_API_KEY="k", XAI_API_KEY="k",
        TOGETHER_API_KEY="k", FIREWORKS_API_KEY="k", OPENROUTER_API_KEY="k", HF_TOKEN="k",
    )  # fmt: skip
    for provider in catalog.providers.values():
        for model in load_facts().list_names(provider.kind.name):
            assert catalog.resolve(f"{provider.name}/{model}").targets[0].model == model


def test_find_facts(catalog):
    facts = catalog.find_facts("gpt-4o")
    assert facts is not None
    assert facts.context == 128_000
    with pytest.raises(ModelNotFound):
        catalog.find_facts("nothing-like-it")
