"""Every provider kind: what it sends where, for a sample model and each operation."""

import pytest

from antiphon.catalog import load
from antiphon.catalog.kinds import load_kinds, parse_kinds

BEARER = ("authorization", "Bearer ")

# kind -> (environment, sample model, origin, credential header, path of each operation)
FIXTURES = {
    "openai": (
        {"OPENAI_API_KEY": "k"},
        "gpt-4o-mini",
        "https://api.openai.com:443",
        BEARER,
        {"chat": "/v1/chat/completions", "completions": "/v1/completions", "embeddings": "/v1/embeddings"},
    ),
    "azure": (
        {"AZURE_OPENAI_API_KEY": "k", "AZURE_OPENAI_ENDPOINT": "https://acme.openai.azure.com/"},
        "my gpt/4o?",
        "https://acme.openai.azure.com:443",
        ("api-key", ""),
        {
            "chat": "/openai/deployments/my%20gpt%2F4o%3F/chat/completions?api-version=2024-10-21",
            "completions": "/openai/deployments/my%20gpt%2F4o%3F/completions?api-version=2024-10-21",
            "embeddings": "/openai/deployments/my%20gpt%2F4o%3F/embeddings?api-version=2024-10-21",
        },
    ),
    "groq": (
        {"GROQ_API_KEY": "k"},
        "openai/gpt-oss-120b",
        "https://api.groq.com:443",
        BEARER,
        {"chat": "/openai/v1/chat/completions"},
    ),
    "mistral": (
        {"MISTRAL_API_KEY": "k"},
        "mistral-large-latest",
        "https://api.mistral.ai:443",
        BEARER,
        {"chat": "/v1/chat/completions", "embeddings": "/v1/embeddings"},
    ),
    "deepseek": (
        {"DEEPSEEK_API_KEY": "k"},
        "deepseek-chat",
        "https://api.deepseek.com:443",
        BEARER,
        {"chat": "/v1/chat/completions"},
    ),
    "xai": ({"XAI_API_KEY": "k"}, "grok-4.5", "https://api.x.ai:443", BEARER, {"chat": "/v1/chat/completions"}),
    "together": (
        {"TOGETHER_API_KEY": "k"},
        "meta-llama/Llama-3.3-70B-Instruct-Turbo",
        "https://api.together.xyz:443",
        BEARER,
        {"chat": "/v1/chat/completions", "completions": "/v1/completions", "embeddings": "/v1/embeddings"},
    ),
    "fireworks": (
        {"FIREWORKS_API_KEY": "k"},
        "accounts/fireworks/models/deepseek-v3",
        "https://api.fireworks.ai:443",
        BEARER,
        {
            "chat": "/inference/v1/chat/completions",
            "completions": "/inference/v1/completions",
            "embeddings": "/inference/v1/embeddings",
        },
    ),
    "openrouter": (
        {"OPENROUTER_API_KEY": "k"},
        "meta-llama/llama-3.3-70b-instruct:free",
        "https://openrouter.ai:443",
        BEARER,
        {
            "chat": "/api/v1/chat/completions",
            "completions": "/api/v1/completions",
            "embeddings": "/api/v1/embeddings",
        },
    ),
    "huggingface": (
        {"HF_TOKEN": "k"},
        "openai/gpt-oss-120b:groq",
        "https://router.huggingface.co:443",
        BEARER,
        {"chat": "/v1/chat/completions"},
    ),
    "openai-compatible": (
        None,
        "anything",
        "http://host.example:9000",
        BEARER,
        {"chat": "/v1/chat/completions", "completions": "/v1/completions", "embeddings": "/v1/embeddings"},
    ),
    "sim": (
        {},
        "echo",
        "sim://local:0",
        None,
        {"chat": "/v1/chat/completions", "completions": "/v1/completions", "embeddings": "/v1/embeddings"},
    ),
} | {
    kind: (
        {variable: "http://127.0.0.1:4567"},
        "llama3.2:3b",
        "http://127.0.0.1:4567",
        None,
        {"chat": "/v1/chat/completions", "completions": "/v1/completions", "embeddings": "/v1/embeddings"},
    )
    for kind, variable in {
        "ollama": "OLLAMA_HOST",
        "lmstudio": "LM_STUDIO_API_BASE",
        "vllm": "VLLM_API_BASE",
        "llamacpp": "LLAMACPP_BASE_URL",
        "localai": "LOCALAI_BASE_URL",
    }.items()
}


def test_every_row_has_a_fixture():
    assert set(FIXTURES) == set(load_kinds())


@pytest.mark.parametrize("kind", FIXTURES)
def test_a_row_sends_the_right_thing_to_the_right_place(files, kind: str):
    environ, model, origin, auth, urls = FIXTURES[kind]
    if environ is None:
        text = f"providers: {{{kind}: {{base_url: 'http://host.example:9000', api_key: k}}}}"
        catalog = files.load(text)
    else:
        catalog = load(environ=environ, probes={})
    target = catalog.resolve(f"{kind}/{model}").targets[0]
    assert (target.name, target.provider, target.model) == (f"{kind}/{model}", kind, model)
    assert (target.kind, target.wire) == (kind, "openai")
    assert str(target.origin) == origin
    assert target.urls == urls
    assert target.auth == auth
    assert (target.credential.reveal() if target.credential else None) == ("k" if auth else None)


def test_quirks_travel_with_the_target():
    catalog = load(environ={"MISTRAL_API_KEY": "k", "OPENAI_API_KEY": "k"}, probes={})
    assert catalog.resolve("mistral/x").targets[0].quirks == {"no_stream_usage"}
    assert catalog.resolve("openai/x").targets[0].quirks == frozenset()


@pytest.mark.parametrize("kind", load_kinds())
def test_rows_are_whole(kind: str):
    row = load_kinds()[kind]
    assert row.title
    assert row.docs
    assert "chat" in row.operations
    assert row.auth[0] == row.auth[0].lower()
    assert all(name.isupper() for name in (*row.env, *row.base_url_env, *row.api_version_env))


ROW = """
[kinds.x]
title = "X"
docs = "https://x.example"
base_url = "https://x.example/v1"
key = "required"
env = ["X_KEY"]
operations = { chat = "/chat" }
"""


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('title = "X"', 'titel = "X"', "titel|title"),
        ('key = "required"', 'key = "maybe"', "maybe"),
        ('env = ["X_KEY"]', "", "names no environment variable"),
        ('chat = "/chat"', "", "no operation"),
        ('"/chat"', '"chat"', "slash"),
        ('"/chat"', '"/chat?v={api_version}"', "api_version"),
        ('docs = "https://x.example"', 'docs = ""\nquirks = ["odd"]', "odd"),
        ('base_url = "https://x.example/v1"', "", "base_url and prefix"),
        ('docs = "https://x.example"', 'docs = ""\nprice = { input = "0.00000001" }', "picodollar"),
    ],
)
def test_a_bad_row_does_not_load(old: str, new: str, message: str):
    assert parse_kinds(ROW).kinds["x"].env == ("X_KEY",)
    with pytest.raises(ValueError, match=message):
        parse_kinds(ROW.replace(old, new))
