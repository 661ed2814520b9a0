"""Scripts: which rule matches, and how mistakes are reported."""

from pathlib import Path

import pytest

from antiphon.errors import ConfigError
from antiphon.sim.script_file import load_script, parse_script

GOOD = """
# greetings
rules:
  - exact: Hello
    model: scripted
    reply: "only for one model"
  - exact: Hello
    reply: Hi
    delay: 0.5
    tps: 20
  - match: "(?i)weather in (\\\\w+)"
    tools:
      - name: get_weather
        arguments: {city: Tōkyō, days: [1, 2.5, null, true]}
      - name: broken
        arguments: '{"city": '
      - name: none
  - match: weather
    reply: Sunny.
  - exact: break
    fault: stall:after=3
  - exact: cost
    usage: {prompt_tokens: 1000}
"""


def test_the_first_matching_rule_is_found() -> None:
    script = parse_script(GOOD)
    assert script.find_rule("scripted", "Hello", False).reply == "only for one model"
    assert script.find_rule("echo", "Hello", False).reply == "Hi"
    assert script.find_rule("echo", "Hello!", False) is None
    calls = script.find_rule("echo", "the Weather in Paris", False).tools
    assert [(call.name, call.arguments) for call in calls] == [
        ("get_weather", '{"city":"Tōkyō","days":[1,2.5,null,true]}'),
        ("broken", '{"city": '),
        ("none", "{}"),
    ]
    assert script.find_rule("echo", "weather in Paris", True).reply == "Sunny."
    assert script.find_rule("echo", "break", False).fault.fault == "stall"
    assert script.find_rule("echo", "cost", False).usage == {"prompt_tokens": 1000}


BAD = """rules:
  - exact: a
    replay: b
  - match: "(["
    reply: c
  - exact: d
    match: e
    reply: f
  - exact: g
  - exact: h
    reply: 5
  - exact: i
    fault: stal
  - exact: j
    delay: soon
  - exact: k
    usage: {prompt_tokens: -1, tokens: 5}
  - exact: l
    tools: get_weather
  - exact: m
    tools: [{arguments: {}}, {name: x, arguments: {when: 2024-01-01, set: !!set {a, b}}}, 7]
  - n
  - exact: h
    reply: again
  - exact: o
    exact: p
    reply: q
"""


def test_every_fault_is_reported_with_its_line() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_script(BAD, "bad.yaml")
    reported = [str(fault) for fault in caught.value.faults]
    expected = [
        "bad.yaml:3: rules[0].replay: unknown key (did you mean reply?)",
        "bad.yaml:2: rules[0]: does nothing",
        "bad.yaml:4: rules[1].match: is not a regular expression",
        "bad.yaml:6: rules[2]: must have either 'exact' or 'match'",
        "bad.yaml:9: rules[3]: does nothing",
        "bad.yaml:11: rules[4].reply: must be text; put it in quotes",
        "bad.yaml:13: rules[5].fault: there is no simulated model 'fault-stal' (did you mean fault-stall?)",
        "bad.yaml:15: rules[6].delay: must be a number from 0 to 1000000",
        "bad.yaml:17: rules[7].usage.prompt_tokens: must be a whole number, 0 or more",
        "bad.yaml:17: rules[7].usage.tokens: unknown key",
        "bad.yaml:19: rules[8].tools: must be a list of tool calls",
        "bad.yaml:21: rules[9].tools[0].name: is missing",
        "bad.yaml:21: rules[9].tools[2]: must be a mapping with the keys name, arguments",
        "bad.yaml:22: rules[10]: must be a mapping with the keys exact, match, model",
        "bad.yaml:23: rules[11]: can never apply: line 10 answers first",
        "bad.yaml:26: rules[12].exact: given twice",
    ]
    for start in expected:
        assert any(line.startswith(start) for line in reported), (start, reported)
    assert len(reported) == len(expected)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("", "is empty"),
        ("- rules", "must be a mapping with the keys rules"),
        ("{}", "rules: is missing"),
        ("rules: 5", "rules: must be a list"),
        ("rules: []\nspeed: 5", "s:2: script.speed: unknown key (known: rules)"),
        ("rules: [", "s:1: script: is not YAML"),
        ("rules: [\x00]", "is not YAML"),
        ("[" * 5000, "s: script: is nested too deeply"),
        ("rules:\n  - exact: a\n    reply: !!python/object:os.system x", "s:3: rules[0].reply: must be text"),
        (
            "rules:\n  - exact: a\n    tools: [{name: a, arguments: !!python/object:os.system x}]",
            "is not a plain value",
        ),
        ("rules:\n  - exact: a\n    tools: [{name: a, arguments: &a [*a]}]", "cannot be JSON"),
        ('rules:\n  - exact: a\n    reply: "\\ud800"', "half of a surrogate pair"),
    ],
)
def test_broken_scripts(source: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_script(source, "s")
    assert message in str(caught.value)


def test_script_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_script(str(tmp_path / "absent.yaml"))
    (tmp_path / "latin.yaml").write_bytes(b"rules: \xff")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_script(str(tmp_path / "latin.yaml"))
    (tmp_path / "good.yaml").write_text(GOOD, encoding="utf-8")
    assert len(load_script(str(tmp_path / "good.yaml")).rules) == 6
