"""``antiphon ask``: asks a model one question and streams its answer to the terminal."""

import sys
from typing import Annotated, Any

import typer

from antiphon.cli import INTERRUPTED
from antiphon.cli.output import complain, fail, print_json
from antiphon.client import Antiphon, Event, Stream

FALLBACK_MODEL = "sim/echo"

_CONTROLS = dict.fromkeys({*range(0x20), *range(0x7F, 0xA0)} - {0x09, 0x0A})
"""An answer is untrusted text: control characters could move the cursor, or change the title or the screen."""


def ask_model(
    question: Annotated[
        str | None, typer.Argument(help="The question; piped input is appended to it, or replaces it.")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(envvar="ANTIPHON_MODEL", help="The model. Default: the first configured one."),
    ] = None,
    system: Annotated[str | None, typer.Option(help="A system message.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object after the complete answer.")] = False,
    config: Annotated[str | None, typer.Option(help="Path of an antiphon.yaml.")] = None,
    base_url: Annotated[
        str | None,
        typer.Option(envvar="ANTIPHON_BASE_URL", help="A server to ask, instead of running in this process."),
    ] = None,
    api_key: Annotated[
        str | None,
        typer.Option(envvar="ANTIPHON_API_KEY", help="The key for that server; the environment variable is safer."),
    ] = None,
) -> int:
    """Ask a model and stream its answer to the terminal."""
    try:
        prompt = _read_prompt(question)
        with _make_client(config, base_url, api_key) as client:
            chosen = model or _choose_model(client)
            with client.stream(chosen, prompt, system=system) as stream:
                if as_json:
                    _show_json(stream, chosen)
                else:
                    _show(stream)
    except KeyboardInterrupt:
        return INTERRUPTED  # before Typer turns it into an ordinary failure
    return 0


def _make_client(config: str | None, base_url: str | None, api_key: str | None) -> Antiphon:
    try:
        return Antiphon(config=config, base_url=base_url, api_key=api_key if base_url else None)
    except (TypeError, ValueError) as error:
        fail(str(error), 2)


def _read_prompt(question: str | None) -> str:
    """Return the question, piped input, or both with the question first."""
    piped = "" if sys.stdin is None or sys.stdin.isatty() else sys.stdin.read().strip()
    parts = [part for part in (question, piped) if part]
    if not parts:
        fail('nothing to ask; try: antiphon ask "What is an antiphon?"', 2)
    return "\n\n".join(parts)


def _choose_model(client: Antiphon) -> str:
    """Return the first listed chat model; it is the simulator's only if there is no other."""
    names = (card.id for card in client.models() if card.get("operation") in (None, "chat"))
    chosen = next(names, FALLBACK_MODEL)
    if chosen == FALLBACK_MODEL:
        complain(
            f"no model is configured, so the offline simulator answers as {FALLBACK_MODEL}; "
            "set a provider's key (such as OPENAI_API_KEY) or name a model with --model.",
            label="hint: ",
        )
    return chosen


def _show(stream: Stream) -> None:
    terminal = sys.stdout.isatty()
    last = "\n"
    try:
        for event in stream:
            text = _get_text(event, terminal)
            if text:
                last = text[-1]  # set first, so that an interrupt while writing still ends the line
                sys.stdout.write(text)
                sys.stdout.flush()
    finally:
        if last != "\n":
            sys.stdout.write("\n")
            sys.stdout.flush()
    if sys.stderr.isatty():
        complain(_summarize(stream), label="")


def _get_text(event: Event, terminal: bool) -> str:
    return event.text.translate(_CONTROLS) if terminal else event.text


def _summarize(stream: Stream) -> str:
    cost = "price unknown" if stream.cost is None else f"${stream.cost:f}"
    tokens = f"{stream.usage.total_tokens} tokens, " if stream.usage else ""
    return f"[{stream.target}: {tokens}{cost}]"


def _show_json(stream: Stream, model: str) -> None:
    for _ in stream:
        pass
    usage: Any = stream.usage.json() if stream.usage else None
    cost = None if stream.cost is None else f"{stream.cost:f}"
    print_json(
        {
            "text": stream.text,
            "model": model,
            "target": stream.target,
            "usage": usage,
            "cost": cost,
            "call_id": stream.call_id,
        }
    )
