"""Every provider kind: for a sample model and each operation, the request matches the fixture."""

import re
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from antiphon import credentials
from antiphon.catalog import Catalog
from antiphon.catalog.kinds import (
    CREDENTIAL_SOURCES,
    FEATURES,
    OPERATIONS,
    PARAMS,
    QUIRKS,
    SECRETS,
    SETTINGS,
    Kind,
    load_kinds,
)
from antiphon.catalog.kinds.rows import parse_kinds
from antiphon.catalog.kinds.vocabulary import WIRES as GENERATORS
from antiphon.config import load_config
from antiphon.config.schema import ProviderBlock
from antiphon.runtime import Runtime
from antiphon.types import Target
from antiphon.wires import get_wire
from antiphon.wires.table import WIRES

FIXTURES = Path(__file__).parent / "fixtures"
CASES = {
    f"{path.stem}: {case.get('title', 'sample')}": (path.stem, case)
    for path in sorted(FIXTURES.glob("*.toml"))
    for case in tomllib.loads(path.read_text("utf-8"))["cases"]
}
COMMON_HEADERS = {"content-type", "user-agent", "accept-encoding"}


def test_rows_and_fixtures_correspond():
    assert {path.stem for path in FIXTURES.iterdir()} == set(load_kinds())
    assert len(load_kinds()) >= 60


@pytest.mark.parametrize("name", CASES)
def test_a_row_makes_the_requests_of_its_fixture(files: Any, name: str):
    kind, case = CASES[name]
    catalog = load(files, kind, case)
    target = catalog.resolve(f"{kind}/{case['model']}").targets[0]
    assert (target.name, target.provider, target.model) == (f"{kind}/{case['model']}", kind, case["model"])
    assert (target.kind, target.wire, target.quirks) == (kind, load_kinds()[kind].wire, load_kinds()[kind].quirks)
    assert list_calls(catalog, target) == case["calls"]
    assert describe_signing(target) == case.get("signing", {})


def load(files: Any, kind: str, case: dict[str, Any]) -> Catalog:
    environ = case.get("environ", {})
    if "config" not in case:
        return load_config(environ=environ, probes={})
    catalog: Catalog = files.load(f"providers: {{{kind}: {case['config']}}}", environ)
    return catalog


def list_calls(catalog: Catalog, target: Target) -> dict[str, list[str]]:
    """Return the request for each operation: method and URL, then the headers that not every call has."""
    runtime = Runtime(catalog)
    calls = {}
    for operation in target.urls:
        base = operation.partition(".")[0]
        wire = get_wire(base if base in WIRES else GENERATORS[target.wire])
        first, *lines = runtime.services.heads.get(target, operation, wire, ()).decode().strip().split("\r\n")
        method, path, _ = first.split(" ")
        headers = dict(line.split(": ", 1) for line in lines)
        url = f"{target.origin.scheme}://{headers.pop('host')}{path}"
        calls[operation] = [f"{method} {url}", *(f"{n}: {v}" for n, v in headers.items() if n not in COMMON_HEADERS)]
    return calls


def describe_signing(target: Target) -> dict[str, Any]:
    if target.signing is None:
        return {}
    secrets = {name: secret.reveal() for name, secret in target.signing.secrets.items()}
    signing: dict[str, Any] = {"scheme": target.signing.scheme} | target.signing.params | secrets
    if (identity := target.signing.identity) is not None:
        hidden = {name: secret.reveal() for name, secret in identity.secrets.items()}
        signing["identity"] = {"source": identity.source} | identity.params | hidden
    return signing


@pytest.mark.parametrize("kind", load_kinds())
def test_a_fixture_covers_every_operation_and_address_of_its_row(kind: str):
    row = load_kinds()[kind]
    cases = [case for name, case in CASES.values() if name == kind]
    assert {operation for case in cases for operation in case["calls"]} == set(row.list_operations())
    urls = {case["calls"][next(iter(case["calls"]))][0].partition(" ")[2] for case in cases}
    hosts = {other.split("/")[2] for addresses in row.base_urls.values() for other in addresses.values()}
    assert hosts <= {url.split("/")[2] for url in urls}
    assert row.signing is None or row.always or any("signing" in case for case in cases)
    assert row.identity is None or any("identity" in case.get("signing", {}) for case in cases)


@pytest.mark.parametrize("kind", load_kinds())
def test_rows_are_complete(kind: str):
    row = load_kinds()[kind]
    assert row.title
    assert row.docs.startswith("https://") or (Path(__file__).resolve().parents[2] / row.docs).is_file()
    assert row.features or not row.base_url, "only a kind without an address may leave its features open"
    assert len(set(row.features)) == len(row.features)
    assert all(name.isupper() for name in (*row.env, *row.base_url_env))
    assert all(note.endswith(".") for note in row.notes)
    for operation in (
        {"embeddings", "rerank", "images", "speech"} & row.list_operations().keys() if row.features else ()
    ):
        assert operation in row.features


def test_the_vocabulary_is_used_and_part_of_the_schema():
    rows = load_kinds().values()
    assert {feature for row in rows for feature in row.features} == set(FEATURES)
    assert {operation for row in rows for operation in row.list_operations()} == set(OPERATIONS)
    assert {param for row in rows for param in row.params} == set(PARAMS)
    assert (
        {row.identity.source for row in rows if row.identity is not None}
        == set(CREDENTIAL_SOURCES)
        == set(credentials.SOURCES)
    )
    assert {setting for source in CREDENTIAL_SOURCES.values() for setting in source.settings} == set(SETTINGS)
    assert PARAMS.keys() | SECRETS.keys() | SETTINGS.keys() <= ProviderBlock.model_fields.keys()


def test_every_quirk_is_used_by_a_wire():
    wires = Path(__file__).resolve().parents[2] / "src/antiphon/wires"
    code = "".join(path.read_text("utf-8") for path in wires.rglob("*.py"))
    for quirk in QUIRKS:
        assert f'"{quirk}"' in code


def test_a_variable_belongs_to_one_provider():
    uses = Counter(
        name
        for kind in load_kinds().values()
        if kind.detect
        for name in {*(kind.env if kind.key == "required" else ()), *kind.base_url_env}
    )
    assert [name for name, count in uses.items() if count > 1] == []


def test_aliases_are_unique():
    aliases = [alias for kind in load_kinds().values() for alias in kind.aliases]
    assert len(set(aliases)) == len(aliases)
    assert not set(aliases) & set(load_kinds())


def test_a_port_belongs_to_one_kind():
    ports = Counter(kind.probe for kind in load_kinds().values() if kind.probe)
    assert max(ports.values()) == 1


def test_a_target_has_the_quirks_of_its_kind():
    catalog = load_config(environ={"MISTRAL_API_KEY": "k", "OPENAI_API_KEY": "k"}, probes={})
    assert catalog.resolve("mistral/x").targets[0].quirks == {"no_stream_usage"}
    assert catalog.resolve("openai/x").targets[0].quirks == {"max_completion_tokens"}


def test_secrets_are_shown_nowhere(files: Any):
    catalog = files.load("providers: {bedrock: {access_key: AKIDX, secret_key: hidden, region: eu-west-1}}", {})
    target = catalog.resolve("bedrock/x").targets[0]
    for shown in (repr(target), repr(target.signing), repr(catalog.providers["bedrock"])):
        assert "hidden" not in shown
        assert "AKIDX" not in shown


ROW = """
[kinds.x]
title = "X"
docs = "https://x.example"
checked = "2026-11-20"
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
        ('checked = "2026-11-20"', "", "the day its documentation was read"),
        ('checked = "2026-11-20"', 'checked = "today"', "today"),
        ('chat = "/chat"', "", "no operation"),
        ('chat = "/chat"', 'chat = "/chat", talk = "/talk"', "talk"),
        ('chat = "/chat"', 'messages = "/messages"', "does not offer chat"),
        ('chat = "/chat"', 'chat = "/chat", "generate.stream" = "/g"', "without its main operation"),
        ('"/chat"', '"chat"', "slash"),
        ('"/chat"', '"/chat?v={api_version}"', "api_version"),
        ('checked = "2026-11-20"', 'checked = "2026-11-20"\nquirks = ["odd"]', "odd"),
        ('checked = "2026-11-20"', 'checked = "2026-11-20"\nfeatures = ["wings"]', "wings"),
        ('checked = "2026-11-20"', 'checked = "2026-11-20"\nwire = "telegraph"', "telegraph"),
        ('checked = "2026-11-20"', 'checked = "2026-11-20"\ncertainty = "hoped"', "hoped"),
        ('checked = "2026-11-20"', 'checked = "2026-11-20"\nparams.colour = {}', "colour"),
        ('checked = "2026-11-20"', 'checked = "2026-11-20"\nparams.region = {}', "does not use"),
        ('checked = "2026-11-20"', 'checked = "2026-11-20"\nbase_urls.region = { eu = "https://x" }', "not one of its"),
        ('checked = "2026-11-20"', 'checked = "2026-11-20"\nroot_operations = { chat = "/c" }', "twice"),
        ('checked = "2026-11-20"', 'checked = "2026-11-20"\nauth = ["X-Key", ""]', "lower case"),
        ('base_url = "https://x.example/v1"', "", "base_url and prefix"),
        ('base_url = "https://x.example/v1"', 'base_url = "https://x.example/{model}"', "the model in its address"),
        ('docs = "https://x.example"', 'docs = ""\nprice = { input = "0.00000001" }', "picodollar"),
        (
            'key = "required"',
            'key = "optional"\nsigning = { scheme = "s", params = {}, secrets = {} }',
            "key is not required",
        ),
        ('key = "required"', 'key = "optional"\nidentity = { source = "google" }', "key is not required"),
        ('key = "required"', 'key = "required"\nidentity = { source = "nowhere" }', "nowhere"),
        ('key = "required"', 'key = "required"\nidentity = { source = "aws", params = { x = "{region}" } }', "region"),
        (
            'operations = { chat = "/chat" }',
            'operations = { chat = "/chat", translations = "/t" }\n'
            'signing = { scheme = "s", params = {}, secrets = {} }',
            "needs the whole body",
        ),
    ],
)
def test_a_bad_row_does_not_load(old: str, new: str, message: str):
    assert parse_kinds(ROW)["x"].env == ("X_KEY",)
    with pytest.raises(ValueError, match=message):
        parse_kinds(ROW.replace(old, new))


def make_kind(text: str) -> Kind:
    return parse_kinds(ROW.replace('"https://x.example/v1"', text))["x"]


def test_a_parameter_is_percent_encoded_in_a_path_and_plain_in_a_host():
    kind = make_kind('"https://{region}.x.example/p/{project}"\nparams = { region = {}, project = {} }')
    address = kind.find_address({"region": "eu-1", "project": "a b/c"})
    assert str(address) == "https://eu-1.x.example/p/a%20b%2Fc"
    assert kind.find_address({"region": "eu-1"}) is None
    assert kind.find_problem("region", "eu-1") == ""
    for value in ("eu/1", "eu@evil.example", "eu:1", "-eu", "eu ", ""):
        assert "host" in kind.find_problem("region", value)
    for value in ("..", ".", "a\nb", "ä"):
        assert kind.find_problem("project", value)


def test_a_value_with_its_own_address():
    kind = make_kind(
        '"https://x.example/v1"\nparams.region = { default = "intl" }\nbase_urls.region = { cn = "https://x.cn/a" }'
    )
    assert str(kind.find_address({"region": "intl"})) == "https://x.example/v1"
    assert str(kind.find_address({"region": "cn"})) == "https://x.cn/a"
    assert kind.find_problem("region", "cn") == ""
    assert "intl, cn" in kind.find_problem("region", "mars")


def test_the_example_for_contributors_is_valid():
    text = (Path(__file__).resolve().parents[2] / "CONTRIBUTING.md").read_text("utf-8")
    row, fixture = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    kind = parse_kinds(row)["acme"]
    (case,) = tomllib.loads(fixture)["cases"]
    address = kind.find_address()
    assert address is not None
    paths = kind.build_paths(case["model"], {}, address.prefix)
    host = str(address.origin).removesuffix(":443")
    assert {name: f"POST {host}{path}" for name, path in paths.items()} == {n: c[0] for n, c in case["calls"].items()}
    assert set(case["environ"]) <= set(kind.env)
