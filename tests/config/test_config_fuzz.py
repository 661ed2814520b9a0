"""Loading a file yields a catalog or faults, whatever the file contains."""

import string
from pathlib import Path

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from antiphon.config import load_config
from antiphon.config.effective import list_settings
from antiphon.config.schema import File, ModelBlock, PriceBlock, ProviderBlock, ServerBlock, TargetBlock
from antiphon.errors import ConfigError

BLOCKS = (File, ModelBlock, PriceBlock, ProviderBlock, ServerBlock, TargetBlock)
LATER = {"panels", "redis", "on_break"}
KEYS = sorted({name for block in BLOCKS for name in block.model_fields} | LATER)
WORDS = ["openai", "sim", "ollama", "sim/echo", "openai/gpt-4o", "weighted", "cheapest", "open", "0.0.0.0", "a", ""]
WORDS += [
    "${HOME}",
    "${NOPE}",
    "${X:-7}",
    "$",
    "http://h",
    "unix:///x:/v1",
    "a\nb",
    "1e400",
    "\x00",
    "é",
    "bedrock",
    "vertex",
    "qwen",
    "litellm",
]

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.sampled_from(WORDS),
    st.text(max_size=8),
)
keys = st.one_of(st.sampled_from(KEYS), st.sampled_from(WORDS), st.text(max_size=4))
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(keys, inner, max_size=4)),
    max_leaves=20,
)
anything = settings(deadline=None, max_examples=250, suppress_health_check=[HealthCheck.function_scoped_fixture])


def try_load(folder: Path, data: bytes) -> None:
    path = folder / "fuzz.yaml"
    path.write_bytes(data)
    try:
        catalog = load_config(str(path), {"HOME": "/srv/me"})
    except ConfigError as error:
        assert error.faults
        for fault in error.faults:
            assert fault.line is None or 1 <= fault.line <= data.count(b"\n") + data.count(b"\r") + 2
            assert str(fault).startswith(str(path))
    else:
        catalog.list_models()
        assert list_settings(catalog)
        for name in catalog.routes:
            assert catalog.resolve(name).targets


@anything
@given(values)
def test_any_values(tmp_path: Path, value: object):
    try_load(tmp_path, yaml.safe_dump(value, allow_unicode=True).encode("utf-8", "replace"))


@anything
@given(st.dictionaries(st.sampled_from(KEYS), values, max_size=5))
def test_any_values_under_known_keys(tmp_path: Path, value: object):
    try_load(tmp_path, yaml.safe_dump(value, allow_unicode=True).encode("utf-8", "replace"))


@anything
@given(
    st.dictionaries(
        st.sampled_from("abc"),
        st.fixed_dictionaries(
            {"targets": st.lists(st.sampled_from(["sim/a", "sim/b", "ollama/x", "nope/x", "a"]), max_size=3)},
            optional={
                "fallbacks": st.lists(st.sampled_from("abcde"), max_size=3),
                "aliases": st.lists(st.sampled_from("abcdef"), max_size=2),
            },
        ),
    )
)
def test_any_graph_of_models(tmp_path: Path, models: object):
    try_load(tmp_path, yaml.safe_dump({"models": models}).encode())


@anything
@given(st.text(alphabet=string.printable + "\u2028\ue000é", max_size=120))
def test_any_text(tmp_path: Path, text: str):
    try_load(tmp_path, text.encode())


@anything
@given(st.binary(max_size=60))
def test_any_bytes(tmp_path: Path, data: bytes):
    try_load(tmp_path, data)
