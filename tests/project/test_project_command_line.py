"""The root of the command line: its table, its exit codes, and the modules that a long-lived process must not load."""

import subprocess
import sys
from pathlib import Path

import pytest

from antiphon import __version__, cli
from antiphon.cli import ARGPARSE, COMMANDS, TYPER, Command, output

ANTIPHON = str(Path(sys.executable).with_name("antiphon"))


@pytest.fixture
def sample(monkeypatch: pytest.MonkeyPatch):
    """Add a command of this folder to the table under the name ``sample``."""

    def add(attribute: str, runner: str = ARGPARSE) -> None:
        monkeypatch.setitem(COMMANDS, "sample", Command(f"project.sample_commands:{attribute}", runner, "A sample."))

    return add


def run_python(program: str) -> str:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_help_names_every_command_and_imports_none(capsys):
    assert cli.run([]) == 0
    shown = capsys.readouterr().out
    assert cli.run(["--help"]) == 0
    assert capsys.readouterr().out == shown
    for name, entry in COMMANDS.items():
        assert f"  {name} " in shown
        assert entry.summary in shown
    loaded = run_python(
        "import sys; from antiphon import cli; cli.run(['--help'])\n"
        "print([name for name in sys.modules if name.startswith('antiphon.cli.')])"
    )
    assert loaded.splitlines()[-1] == "['antiphon.cli.output']"


def test_version(capsys):
    assert cli.run(["--version"]) == 0
    assert capsys.readouterr().out == f"antiphon {__version__}\n"


@pytest.mark.parametrize(
    ("argument", "suggestion"), [("serv", "serve"), ("modles", "models"), ("--verson", "--version")]
)
def test_an_unknown_command_gets_a_suggestion(argument, suggestion, capsys):
    assert cli.run([argument]) == 2
    captured = capsys.readouterr()
    assert argument in captured.err
    assert f"did you mean {suggestion}?" in captured.err
    assert captured.out == ""


def test_every_fault_of_a_configuration_has_its_own_line(sample, capsys):
    sample("misconfigured")
    assert cli.run(["sample"]) == 2
    assert capsys.readouterr().err.splitlines() == [
        "error: a.yaml:3: models.x: unknown target (did you mean y?)",
        "error: a.yaml:9: z: no",
    ]


def test_any_other_error_is_one_line_without_a_traceback(sample, capsys):
    sample("broken")
    assert cli.run(["sample"]) == 1
    assert capsys.readouterr().err == "error: the journal is broken\n"


@pytest.mark.parametrize("runner", [ARGPARSE, TYPER])
def test_an_interruption_has_the_exit_code_that_shells_expect(sample, runner):
    sample("interrupted", runner)
    assert cli.run(["sample"]) == 130


def test_a_typer_group_runs_and_returns_its_exit_code(sample, capsys):
    sample("group", TYPER)
    assert cli.run(["sample", "fine", "--count", "3"]) == 0
    assert capsys.readouterr().out == "3\n"
    assert cli.run(["sample", "seven"]) == 7


@pytest.mark.parametrize("arguments", [["fine", "--nonsense"], ["fine", "--count", "many"], ["nonsense"]])
def test_wrong_usage_of_a_typer_command_is_plain_text_with_exit_code_2(sample, capsys, arguments):
    sample("group", TYPER)
    assert cli.run(["sample", *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert "try: antiphon sample" in error
    assert "╭" not in error


def test_an_argparse_command_parses_by_its_signature(sample, capsys):
    sample("plain")
    assert cli.run(["sample", "here", "--port", "80", "--loud"]) == 0
    assert cli.run(["sample", "here", "--host-name", "elsewhere"]) == 0
    assert capsys.readouterr().out.splitlines() == ["here 80 localhost True", "here None elsewhere False"]


@pytest.mark.parametrize("arguments", [[], ["here", "--port", "x"], ["here", "--po", "1"], ["here", "there"]])
def test_wrong_usage_of_an_argparse_command_has_exit_code_2(sample, arguments):
    sample("plain")
    with pytest.raises(SystemExit) as caught:
        cli.run(["sample", *arguments])
    assert caught.value.code == 2


def test_an_argparse_command_prints_its_help(sample, capsys):
    sample("plain")
    with pytest.raises(SystemExit) as caught:
        cli.run(["sample", "--help"])
    assert caught.value.code == 0
    shown = capsys.readouterr().out
    for text in ("usage: antiphon sample", "Say what was asked for.", "100 % optional.", "[default: localhost]"):
        assert text in shown


def test_a_closed_pipe_is_no_error():
    program = (
        "import sys; from antiphon import cli\n"
        "cli.write_overview = lambda: 'x' * 10_000_000; sys.argv = ['']; cli.main()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(10)
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(60) == 1


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_prints_its_help(name):
    done = subprocess.run([ANTIPHON, name, "--help"], capture_output=True, text=True, check=True)
    assert f"antiphon {name}" in done.stdout
    assert done.stderr == ""
    # A group without add_completion=False offers to write to the user's shell start-up files.
    assert "--install-completion" not in done.stdout


@pytest.mark.parametrize("name", [name for name, entry in COMMANDS.items() if entry.runner == ARGPARSE])
def test_a_long_lived_process_loads_no_command_line_framework(name):
    loaded = run_python(
        f"import sys; from antiphon import cli; cli.load(cli.COMMANDS[{name!r}].function)\n"
        "print(sorted({'typer', 'click', 'rich', 'pydantic'} & set(sys.modules)))"
    )
    assert loaded == "[]"


def test_fail_prints_the_reason_and_exits_with_its_code(capsys):
    with pytest.raises(SystemExit) as caught:
        output.fail("no such key: k1", 2)
    assert caught.value.code == 2
    assert capsys.readouterr().err == "error: no such key: k1\n"


def test_tables_in_a_pipe_are_plain_aligned_columns(capsys):
    output.print_table("Keys", ("id", "name"), [("k1", None), ("longer", "[bold]")])
    assert capsys.readouterr().out == "id      name\nk1      -\nlonger  [bold]\n"


def test_json_is_indented_and_takes_structs(capsys):
    from antiphon.types import Usage

    output.print_json({"usage": Usage(input=3)})
    assert capsys.readouterr().out == '{\n  "usage": {\n    "input": 3\n  }\n}\n'
