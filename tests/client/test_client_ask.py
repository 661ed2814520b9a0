"""`antiphon ask` as a process: its output, its input and its exit status."""

import json
import os
import pty
import signal
import subprocess
import sys
import time
from typing import Any

import pytest

from processes import PATIENCE

ASK = [sys.executable, "-m", "antiphon", "ask"]


def ask(*arguments: str, piped: str = "", **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*ASK, *arguments],
        input=piped, capture_output=True, text=True, timeout=PATIENCE, check=False, env={**os.environ, **environment},
    )  # fmt: skip


def test_only_the_answer_goes_to_standard_output(config: str) -> None:
    run = ask("Hello there", "--model", "sim/echo", "--config", config)
    assert (run.returncode, run.stdout, run.stderr) == (0, "Hello there\n", "")


def test_piped_input_is_the_question_or_is_appended_to_it(config: str) -> None:
    assert ask("-", "--model", "sim/echo", "--config", config).stdout == "-\n"
    assert ask("--model", "sim/echo", "--config", config, piped="from a pipe\n").stdout == "from a pipe\n"
    both = ask("Summarize:", "--model", "sim/echo", "--config", config, piped="the text\n")
    assert both.stdout == "Summarize:\n\nthe text\n"


def test_a_missing_question_is_a_usage_error(config: str) -> None:
    run = ask("--model", "sim/echo", "--config", config)
    assert (run.returncode, run.stdout) == (2, "")
    assert "nothing to ask" in run.stderr


def test_json_prints_one_object(config: str) -> None:
    run = ask("Hello", "--model", "sim/echo", "--config", config, "--json")
    found: dict[str, Any] = json.loads(run.stdout)
    assert set(found) == {"text", "model", "target", "usage", "cost", "call_id"}
    assert (found["text"], found["model"], found["target"]) == ("Hello", "sim/echo", "sim/echo")
    assert found["usage"]["prompt_tokens"] > 0
    assert found["call_id"].startswith("call_")
    assert run.stderr == ""


def test_a_system_message_is_sent(config: str) -> None:
    import base64

    run = ask("x", "--model", "sim/mirror", "--config", config, "--system", "be brief")
    sent = json.loads(base64.b64decode(run.stdout))
    assert sent["messages"][0] == {"role": "system", "content": "be brief"}


def test_the_model_comes_from_option_variable_configuration_or_default(config: str, tmp_path: Any) -> None:
    def read_model(*arguments: str, **environment: str) -> tuple[str, str]:
        run = ask("x", "--json", *arguments, **environment)
        return json.loads(run.stdout)["model"], run.stderr

    assert read_model("--config", config, ANTIPHON_MODEL="sim/lorem-3") == ("sim/lorem-3", "")
    assert read_model("--config", config, "--model", "sim/echo", ANTIPHON_MODEL="sim/lorem-3") == ("sim/echo", "")
    assert read_model("--config", config) == ("echo", "")
    empty = tmp_path / "empty.yaml"
    empty.write_text("version: 1\n")
    chosen, warning = read_model("--config", str(empty))
    assert chosen == "sim/echo"
    assert "hint" in warning
    assert "--model" in warning


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("x", "--model", "sim/fault-500"), 1, "status 500"),
        (("x", "--model", "nothing/at-all"), 1, "nothing/at-all"),
        (("x", "--model", "m", "--base-url", "http://127.0.0.1:1"), 1, "127.0.0.1"),
        (("x", "--model", "m", "--base-url", "nonsense"), 2, "base_url"),
        (("x", "--config", "missing.yaml"), 2, "missing.yaml"),
    ],
)
def test_failures_are_printed_on_standard_error(arguments: tuple[str, ...], code: int, words: str) -> None:
    run = ask(*arguments)
    assert (run.returncode, run.stdout) == (code, "")
    assert words in run.stderr
    assert run.stderr.startswith("error: ")
    assert "Traceback" not in run.stderr


def test_an_answer_that_breaks_off_is_printed_with_an_error(config: str) -> None:
    run = ask("x", "--model", "sim/fault-cut:after=4:tokens=9", "--config", config)
    assert run.returncode == 1
    assert run.stdout.strip()
    assert run.stdout.endswith("\n")
    assert run.stderr.startswith("error: ")


def test_an_interrupt_ends_with_status_130_and_no_output(config: str) -> None:
    process = subprocess.Popen(
        [*ASK, "x", "--model", "sim/lorem-500:tps=20", "--config", config],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0,
    )  # fmt: skip
    assert process.stdout is not None
    process.stdout.read(4)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert out.endswith(b"\n")
    assert err == b""


def test_a_closed_pipe_is_no_traceback(config: str) -> None:
    process = subprocess.Popen(
        [*ASK, "x", "--model", "sim/lorem-500:tps=200", "--config", config],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.read(4)
    process.stdout.close()
    assert b"Traceback" not in process.stderr.read()
    process.stderr.close()
    assert process.wait(PATIENCE) == 1


def test_a_terminal_shows_the_cost_and_no_control_characters(config: str) -> None:
    ours, theirs = pty.openpty()
    evil = "a\x1b[31mb\x07c\x9bd"
    process = subprocess.Popen(
        [*ASK, evil, "--model", "sim/echo", "--config", config],
        stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs,
    )  # fmt: skip
    os.close(theirs)
    shown = b""
    due = time.monotonic() + PATIENCE
    while time.monotonic() < due:
        try:
            piece = os.read(ours, 4096)
        except OSError:  # the other side is closed
            break
        if not piece:
            break
        shown += piece
    os.close(ours)
    assert process.wait(PATIENCE) == 0
    lines = shown.decode().splitlines()
    assert lines[0] == "a[31mbcd"
    assert lines[1].startswith("[sim/echo: ")
    assert "tokens" in lines[1]
