"""The grammar of model names."""

import re

import pytest

from antiphon.sim.behaviour import COMMON_OPTIONS, KINDS, OPTIONS, Behaviour, UnknownBehaviour, parse_model_name


def test_every_name_is_known_with_and_without_prefix() -> None:
    for name in KINDS:
        assert parse_model_name(name) == parse_model_name("sim/" + name)


def test_every_option_of_every_name_is_read() -> None:
    values = {"eol": "crlf", "retry": "date", "kind": "nan"}
    for name, kind in KINDS.items():
        for option in (*COMMON_OPTIONS, *kind.options):
            value = values.get(option, "1")
            assert str(getattr(parse_model_name(f"{name}:{option}={value}"), option)).removesuffix(".0") == value
    assert set(OPTIONS) == {*COMMON_OPTIONS, *(option for kind in KINDS.values() for option in kind.options)}


def test_options_and_shorthands() -> None:
    assert parse_model_name("echo:tps=50:first=0.5") == Behaviour(tps=50.0, first=0.5)
    assert parse_model_name("lorem-200") == parse_model_name("lorem:tokens=200")
    assert parse_model_name("lorem-200:tps=5") == parse_model_name("lorem:tokens=200:tps=5")
    assert parse_model_name("fault-503:retry=7").status == 503
    assert parse_model_name("fault-429").after == 1
    assert parse_model_name("fault-stall").fault == "stall"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "there is no simulated model ''"),
        ("loren", "did you mean lorem?"),
        ("fault-399", "there is no simulated model 'fault-399'"),
        ("fault-cutt", "did you mean fault-cut?"),
        ("echo:", "echo has no option ''"),
        ("echo:tsp=5", "did you mean tps?"),
        ("echo:after=5", "echo has no option 'after'"),
        ("echo:tps=5:tps=6", "echo has the option tps twice"),
        ("echo:tps=-1", "tps must be a number from 0 to 1e+06, not '-1'"),
        ("echo:tps=nan", "tps must be a number"),
        ("echo:tps=", "tps must be a number"),
        ("lorem-999999", "tokens must be a whole number from 0 to 100000"),
        ("lorem:tokens=1_0", "tokens must be a whole number"),
        ("echo:eol=lfcr", "eol must be one of lf, crlf, cr, not 'lfcr'"),
        ("fault-429:retry=later", "retry must be a number of seconds, or one of"),
        ("fault-cut:p=2", "p must be a number from 0 to 1"),
        ("x" * 10_000, "there is no simulated model 'xxx"),
    ],
)
def test_bad_names_are_explained(name: str, message: str) -> None:
    with pytest.raises(UnknownBehaviour, match=re.escape(message)) as caught:
        parse_model_name(name)
    assert len(str(caught.value)) < 1000


def test_text_before_an_at_sign_is_ignored() -> None:
    assert parse_model_name("sim/claude-sonnet-4-6:v1=0@echo:tps=5") == parse_model_name("echo:tps=5")
